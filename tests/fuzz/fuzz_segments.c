/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the table of `optinc segments` for the report, and as a structure and a choice of
 * segmented layers: no crash, one message where they are refused; what is read is in range. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/counted_errors.h"
#include "optinc/train.h"
#include "report.h"

#define CAPACITY 12u /* sides, layers */

static void check_table(const uint8_t *bytes, size_t size)
{
    static report r;
    int file = memfd_create("table", 0);
    char path[64];

    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    r = (report){0};
    message_count = 0;
    if (report_segments_load(&r, path)) {
        require(message_count == 0 && r.choice_count > 0);
        for (size_t i = 0; i < r.choice_count; i++) {
            const report_choice *choice = &r.choices[i];

            require(choice->mzis > 0 && choice->mzis <= choice->mzis_svd);
            require(choice->wrong <= choice->cases && isfinite(choice->margin));
            require(choice->segments[0] && !strpbrk(choice->segments, "'\"\n\\"));
        }
    } else {
        require(message_count == 1);
    }
    close(file);
}

static void check_texts(const char *text)
{
    uint32_t sides[CAPACITY], count = 0;
    bool segmented[CAPACITY];

    if (optinc_structure_parse(text, NULL, sides, CAPACITY, &count) == OPTINC_OK) {
        require(count >= 2 && count <= CAPACITY);
        for (uint32_t i = 0; i < count; i++)
            require(sides[i] >= 1 && sides[i] <= OPTINC_LAYER_SIDE_MAX);
    }
    if (optinc_segments_parse(text, CAPACITY, NULL, segmented) == OPTINC_OK)
        require(*text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);

    require(text);
    memcpy(text, bytes, size);
    text[size] = '\0';
    check_table(bytes, size);
    check_texts(text);
    free(text);
    return 0;
}
