/* SPDX-License-Identifier: Apache-2.0 */
/* For check_safetensors.py and the fuzzer's seeds: `write FILE` saves the sample design, `small
 * FILE` its second level alone and without a table, `read FILE` loads a file; each, and `sample`,
 * prints the design's checksum. */
#include "design/make_design.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_message(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", message);
}

int main(int argc, char **argv)
{
    optinc_log log = {.write = print_message};
    optinc_design *design = NULL;
    optinc_status status;
    sample s;

    if (argc < 2 || (argc < 3 && strcmp(argv[1], "sample") != 0))
        return 2;
    if (strcmp(argv[1], "read") == 0) {
        status = optinc_design_load(argv[2], &log, &design);
    } else {
        bool small = strcmp(argv[1], "small") == 0;

        sample_fill(&s);
        if (small)
            s.units[1].table = NULL;
        status = optinc_design_create(small ? &s.units[1] : s.units, small ? 1 : 2, &log, &design);
    }
    if (!status && argc > 2 && strcmp(argv[1], "read") != 0)
        status = optinc_design_save(design, argv[2], &log);
    if (!status)
        printf("%016" PRIx64 "\n", optinc_design_checksum(design));
    optinc_design_destroy(&design);
    return status ? 1 : 0;
}
