/* SPDX-License-Identifier: Apache-2.0 */
#include <optinc/optinc.h>

int main(void)
{
    optinc_spec spec;

    if (optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec) != OPTINC_OK)
        return 1;
    /* (1 + 2 + 3 + 4 + 2) / 4 rounded down */
    return optinc_reference_result(&spec, 1 + 2 + 3 + 4, 0) == 3 ? 0 : 2;
}
