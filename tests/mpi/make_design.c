/* SPDX-License-Identifier: Apache-2.0 */
/* make_design FILE PORTS BITS: a design file for the tests of the interposition library. */
#include "collective/fixture.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    optinc_design *design;
    optinc_status status;

    if (argc != 4)
        return 2;
    design =
        make_design((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), 1, OPTINC_VARIANT_HALF_UP);
    status = optinc_design_save(design, argv[1], NULL);
    optinc_design_destroy(&design);
    if (status != OPTINC_OK)
        fprintf(stderr, "%s: %s\n", argv[1], optinc_status_text(status));
    return status == OPTINC_OK ? 0 : 1;
}
