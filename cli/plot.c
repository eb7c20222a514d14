/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PICTURE_SIZE_MAX ((size_t)1 << 26)

extern char **environ;

static char *path_in(const plot *p, const char *name)
{
    char *path = cli_concatenate(p->folder, "/", name);

    if (!path)
        cli_error("out of memory");
    return path;
}

static FILE *create_in(const plot *p, const char *name)
{
    char *path = path_in(p, name);
    FILE *stream = path ? fopen(path, "w") : NULL;

    if (path && !stream)
        cli_error("%s: cannot be written: %s", path, strerror(errno));
    free(path);
    return stream;
}

bool plot_open(plot *p)
{
    return plot_open_sized(p, PLOT_HEIGHT);
}

bool plot_open_sized(plot *p, int height)
{
    const char *parent = getenv("TMPDIR");

    *p = (plot){.height = height};
    p->folder = cli_concatenate(parent && *parent ? parent : "/tmp", "/optinc-plot-XXXXXX", "");
    if (!p->folder || !mkdtemp(p->folder)) {
        cli_error("a folder for the plots, %s: %s", p->folder ? p->folder : "", strerror(errno));
        free(p->folder);
        p->folder = NULL;
        return false;
    }
    p->script = create_in(p, "plot.gp");
    if (!p->script) {
        plot_close(p);
        return false;
    }
    fprintf(p->script,
            "set terminal svg size %d,%d dynamic font 'sans-serif,15'\nset output 'plot.svg'\n"
            "set key off\nset border 3 lc rgb '#9ca3af'\nset tics nomirror out scale 0.5 "
            "textcolor rgb '#4b5563'\nset grid ytics lt 1 lc rgb '#e5e7eb' lw 1\n"
            "set datafile missing 'nan'\nset encoding utf8\nset minussign\nset lmargin 9\nset "
            "rmargin 2\nset tmargin 1\n"
            "set xlabel 'training step' textcolor rgb '#4b5563'\n",
            PLOT_WIDTH, height);
    return true;
}

FILE *plot_data(plot *p)
{
    char name[32];

    snprintf(name, sizeof name, "%d.dat", p->file_count++);
    return create_in(p, name);
}

bool plot_data_close(FILE *data)
{
    bool good = !ferror(data);

    if (fclose(data) != 0 || !good) {
        cli_error("data of a plot: %s", strerror(errno));
        return false;
    }
    return true;
}

/* gnuplot -d plot.gp in the folder, its own words to log; its exit status, or -1. */
static int run_gnuplot(const char *folder)
{
    /* the child inherits the folder, so that no path needs quoting in the script */
    char *const arguments[] = {"gnuplot", "-d", "plot.gp", NULL};
    posix_spawn_file_actions_t actions;
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = -1;
    int error = 0;
    pid_t child;

    if (here < 0 || chdir(folder) != 0) {
        cli_error("%s: %s", folder, strerror(errno));
        if (here >= 0)
            close(here);
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "log", O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (fchdir(here) != 0)
        error = errno;
    close(here);
    if (error) {
        cli_error("gnuplot: %s; expected it to be installed (Debian: gnuplot-nox)",
                  strerror(error));
        return -1;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static void print_log(const plot *p)
{
    char *path = path_in(p, "log");
    size_t size = 0;
    char *text = path ? cli_read_file(path, PICTURE_SIZE_MAX, &size) : NULL;
    char *line = text;

    while (line && (*line == '\n' || *line == ' '))
        line++;
    cli_error("gnuplot failed: %.200s", line && *line ? line : "it did not say why");
    free(text);
    free(path);
}

/* gnuplot gives the same ids to all pictures; on one page they must differ. */
static void write_renamed(FILE *page, const char *text, const char *id)
{
    static const char *const before[] = {"id='", "id=\"", "href='#", "url(#"};

    while (*text) {
        size_t length = 0;

        for (size_t i = 0; i < sizeof before / sizeof before[0] && length == 0; i++)
            if (strncmp(text, before[i], strlen(before[i])) == 0)
                length = strlen(before[i]);
        if (length > 0) {
            fprintf(page, "%.*s%s-", (int)length, text, id);
            text += length;
        } else {
            fputc(*text++, page);
        }
    }
}

/* id NULL: a file of its own, in which gnuplot's ids may stay */
static bool write_picture(const plot *p, FILE *out, const char *id, const char *label)
{
    char *path = path_in(p, "plot.svg");
    size_t size;
    char *text = path ? cli_read_file(path, PICTURE_SIZE_MAX, &size) : NULL;
    const char *body = text ? strstr(text, "</desc>") : NULL;

    free(path);
    if (text && !body)
        cli_error("gnuplot: its picture is not the SVG that was expected");
    if (body && id) {
        fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
                PLOT_WIDTH, p->height, label);
        write_renamed(out, body + strlen("</desc>"), id);
    } else if (body) {
        fprintf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" "
                "xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 %d %d\" "
                "width=\"%d\" height=\"%d\" role=\"img\">\n<title>%s</title>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>%s",
                PLOT_WIDTH, p->height, PLOT_WIDTH, p->height, label, body + strlen("</desc>"));
    }
    free(text);
    return body != NULL;
}

static bool draw(plot *p)
{
    bool good = !ferror(p->script);
    int status;

    if (fclose(p->script) != 0 || !good) {
        p->script = NULL;
        cli_error("the script of a plot: %s", strerror(errno));
        return false;
    }
    p->script = NULL;
    status = run_gnuplot(p->folder);
    if (status == -1)
        return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_log(p);
        return false;
    }
    return true;
}

bool plot_write(plot *p, FILE *page, const char *id, const char *label)
{
    return draw(p) && write_picture(p, page, id, label);
}

bool plot_write_file(plot *p, FILE *out, const char *label)
{
    return draw(p) && write_picture(p, out, NULL, label);
}

static void remove_in(const plot *p, const char *name)
{
    char *path = cli_concatenate(p->folder, "/", name);

    if (path)
        unlink(path);
    free(path);
}

void plot_close(plot *p)
{
    if (p->script)
        fclose(p->script);
    if (p->folder) {
        for (int i = 0; i < p->file_count; i++) {
            char name[32];

            snprintf(name, sizeof name, "%d.dat", i);
            remove_in(p, name);
        }
        remove_in(p, "plot.gp");
        remove_in(p, "plot.svg");
        remove_in(p, "log");
        rmdir(p->folder);
    }
    free(p->folder);
    *p = (plot){0};
}
