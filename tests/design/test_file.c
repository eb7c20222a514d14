/* SPDX-License-Identifier: Apache-2.0 */
/* The design file: round trip, every altered byte, every length, atomic replacement. */
#define _XOPEN_SOURCE 700 /* mkdtemp, truncate */

#include "base/memory.h"
#include "design/file_format.h"
#include "design/make_design.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_SIZE 128

typedef struct heard {
    int errors;
    char last[512];
} heard;

static void hear(void *user, optinc_log_level level, const char *message)
{
    heard *h = user;

    h->errors += level == OPTINC_LOG_ERROR;
    snprintf(h->last, sizeof h->last, "%s", message);
}

static int make_folder(void **state)
{
    static char folder[] = "/tmp/optinc_test_file_XXXXXX";

    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
    return rmdir(*state); /* fails if a test left anything there */
}

static optinc_design *make(void)
{
    sample s;
    optinc_design *design = NULL;

    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &design), OPTINC_OK);
    return design;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void assert_same_unit(const optinc_unit *a, const optinc_unit *b)
{
    assert_memory_equal(&a->spec, &b->spec, sizeof a->spec);
    assert_int_equal(a->method, b->method);
    assert_true(a->seed == b->seed);
    assert_memory_equal(&a->gap, &b->gap, sizeof a->gap);
    assert_int_equal(a->input_count, b->input_count);
    for (uint32_t i = 0; i < a->input_count; i++)
        assert_memory_equal(&a->inputs[i], &b->inputs[i], sizeof a->inputs[i]);
    assert_int_equal(a->layer_count, b->layer_count);
    for (uint32_t i = 0; i < a->layer_count; i++) {
        const optinc_layer *p = &a->layers[i];
        const optinc_layer *q = &b->layers[i];

        assert_int_equal(p->rows, q->rows);
        assert_int_equal(p->cols, q->cols);
        assert_int_equal(p->activation, q->activation);
        assert_int_equal(p->mapping, q->mapping);
        assert_int_equal(p->segment_side, q->segment_side);
        assert_memory_equal(p->weight, q->weight, sizeof(double) * p->rows * p->cols);
        assert_memory_equal(p->bias, q->bias, sizeof(double) * p->rows);
    }
    assert_true(a->table_count == b->table_count);
    assert_int_equal(a->table == NULL, b->table == NULL);
    if (a->table)
        assert_memory_equal(a->table, b->table, sizeof *a->table * a->table_count);
    assert_int_equal(a->proof.kind, b->proof.kind);
    assert_int_equal(a->proof.exact, b->proof.exact);
    assert_true(a->proof.cases == b->proof.cases);
    assert_true(a->proof.errors == b->proof.errors);
    assert_true(a->proof.margin_min == b->proof.margin_min ||
                (isnan(a->proof.margin_min) && isnan(b->proof.margin_min)));
    assert_true(a->proof.error_bound == b->proof.error_bound ||
                (isnan(a->proof.error_bound) && isnan(b->proof.error_bound)));
}

/* Precondition: a design with extreme values in every field. Identity: load(save(d)) = d. */
static void load_gives_back_what_was_saved(void **state)
{
    char path[PATH_SIZE];
    heard h = {0};
    optinc_log log = {.write = hear, .user = &h};
    optinc_design *design = make();
    optinc_design *loaded = NULL;
    struct stat about;

    snprintf(path, sizeof path, "%s/design.safetensors", (const char *)*state);
    assert_int_equal(optinc_design_save(design, path, &log), OPTINC_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(optinc_design_save(design, path, &log), OPTINC_OK); /* replaces */
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(optinc_design_load(path, &log, &loaded), OPTINC_OK);
    assert_int_equal(h.errors, 0);
    assert_int_equal(optinc_design_level_count(loaded), 2);
    for (uint32_t level = 0; level < 2; level++)
        assert_same_unit(optinc_design_unit(design, level), optinc_design_unit(loaded, level));
    assert_true(optinc_design_checksum(design) == optinc_design_checksum(loaded));
    optinc_design_destroy(&loaded);
    optinc_design_destroy(&design);
    assert_int_equal(unlink(path), 0);
}

/* Precondition: a saved file, and one for the place. Identity: a file saved through a link replaces
 * what the link names, and the link stays. */
static void save_follows_links(void **state)
{
    char path[PATH_SIZE];
    char link_path[PATH_SIZE];
    optinc_design *design = make();
    struct stat about;

    snprintf(path, sizeof path, "%s/target", (const char *)*state);
    snprintf(link_path, sizeof link_path, "%s/link", (const char *)*state);
    assert_int_equal(optinc_design_save(design, path, NULL), OPTINC_OK);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(optinc_design_save(design, link_path, NULL), OPTINC_OK);
    assert_int_equal(lstat(link_path, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(stat(path, &about), 0);
    assert_true(about.st_size > 3);
    optinc_design_destroy(&design);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(unlink(path), 0);
}

/* Precondition: paths that cannot be read or replaced. Identity: OPTINC_ERR_IO, the path is named,
 * and nothing changes. */
static void bad_paths_are_refused(void **state)
{
    char path[PATH_SIZE];
    heard h = {0};
    optinc_log log = {.write = hear, .user = &h};
    optinc_design *design = make();
    optinc_design *loaded = (optinc_design *)&h;
    const char *folder = *state;

    snprintf(path, sizeof path, "%s/missing/design", folder);
    assert_int_equal(optinc_design_load(path, &log, &loaded), OPTINC_ERR_IO);
    assert_null(loaded);
    assert_non_null(strstr(h.last, path));
    assert_int_equal(optinc_design_save(design, path, &log), OPTINC_ERR_IO);
    assert_non_null(strstr(h.last, path));
    assert_int_equal(optinc_design_load(folder, &log, &loaded), OPTINC_ERR_IO);
    assert_non_null(strstr(h.last, "regular file"));
    assert_int_equal(optinc_design_save(design, folder, &log), OPTINC_ERR_IO);
    assert_non_null(strstr(h.last, "regular file"));
    assert_int_equal(optinc_design_save(design, "/dev/null", &log), OPTINC_ERR_IO);
    assert_int_equal(optinc_design_load("/dev/null", &log, &loaded), OPTINC_ERR_IO);
    assert_int_equal(optinc_design_load(NULL, &log, &loaded), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_save(NULL, path, &log), OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

/* Precondition: the file system takes 100 bytes a file and no more. Identity: save fails, the old
 * file is as it was, and no other file is left. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    char path[PATH_SIZE];
    heard h = {0};
    optinc_log log = {.write = hear, .user = &h};
    optinc_design *design = make();
    struct rlimit before;
    struct rlimit full;
    uint8_t *old;
    uint8_t *now;
    size_t old_size;
    size_t now_size;
    uint32_t table[7] = {0};
    int entries = 0;
    DIR *folder;

    snprintf(path, sizeof path, "%s/design.safetensors", (const char *)*state);
    assert_int_equal(optinc_design_save(design, path, NULL), OPTINC_OK);
    old = read_file(path, &old_size);
    assert_int_equal(optinc_design_set_table(design, 0, table, 7), OPTINC_OK);

    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    assert_int_equal(optinc_design_save(design, path, &log), OPTINC_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(h.last, path));

    now = read_file(path, &now_size);
    assert_int_equal(now_size, old_size);
    assert_memory_equal(now, old, old_size);
    folder = opendir(*state);
    assert_non_null(folder);
    while (readdir(folder))
        entries++;
    closedir(folder);
    assert_int_equal(entries, 3); /* ".", ".." and the file */
    free(now);
    free(old);
    optinc_design_destroy(&design);
    assert_int_equal(unlink(path), 0);
}

typedef struct memory_file {
    uint8_t bytes[16384];
    size_t size;
} memory_file;

static optinc_status keep(void *user, const void *data, size_t size)
{
    memory_file *m = user;

    assert_true(size <= sizeof m->bytes - m->size);
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
    return OPTINC_OK;
}

static void write_sample(memory_file *m)
{
    optinc_design *design = make();

    m->size = 0;
    assert_int_equal(oi_file_write(design, &(oi_sink){.write = keep, .user = m}, NULL), OPTINC_OK);
    optinc_design_destroy(&design);
}

/* A copy of exactly `size` bytes, so that a read behind them is seen by the sanitizers. */
static optinc_status parse_copy(const uint8_t *bytes, size_t size, heard *h)
{
    optinc_log log = {.write = hear, .user = h};
    optinc_design *design = (optinc_design *)h;
    uint8_t *copy = malloc(size ? size : 1);
    optinc_status status;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    h->errors = 0;
    status = optinc_design_parse(copy, size, "a.design", &log, &design);
    free(copy);
    if (status) {
        assert_null(design);
        assert_true(h->errors > 0);
        assert_int_equal(strncmp(h->last, "a.design: ", 10), 0);
    }
    optinc_design_destroy(&design);
    return status;
}

/* Precondition: a valid file. Identity: every prefix is refused, and so is anything behind it. */
static void every_length_but_one_is_refused(void **state)
{
    static memory_file m;
    heard h;

    (void)state;
    write_sample(&m);
    assert_int_equal(parse_copy(m.bytes, m.size, &h), OPTINC_OK);
    for (size_t size = 0; size < m.size; size++)
        assert_int_equal(parse_copy(m.bytes, size, &h), OPTINC_ERR_FORMAT);
    m.bytes[m.size] = 0;
    assert_int_equal(parse_copy(m.bytes, m.size + 1, &h), OPTINC_ERR_FORMAT);
    assert_non_null(strstr(h.last, "follows"));
}

/* Precondition: a valid file. Identity: with any bit of any byte flipped it is refused. */
static void every_altered_bit_is_refused(void **state)
{
    static memory_file m;
    heard h;

    (void)state;
    write_sample(&m);
    for (size_t i = 0; i < m.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            m.bytes[i] ^= (uint8_t)(1 << bit);
            assert_true(parse_copy(m.bytes, m.size, &h) < 0);
            m.bytes[i] ^= (uint8_t)(1 << bit);
        }
    }
    m.bytes[m.size - 1] ^= 1;
    assert_int_equal(parse_copy(m.bytes, m.size, &h), OPTINC_ERR_CHECKSUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_gives_back_what_was_saved),
        cmocka_unit_test(save_follows_links),
        cmocka_unit_test(bad_paths_are_refused),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(every_length_but_one_is_refused),
        cmocka_unit_test(every_altered_bit_is_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
