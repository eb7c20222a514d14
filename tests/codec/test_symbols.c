/* SPDX-License-Identifier: Apache-2.0 */
/* Identity: digit j of element i is the two bits of PAM4 symbol number i B/2 + j, four symbols to a
 * byte; unpacking gives the codes back. */
#include "codec_test.h"

#define COUNT_MAX 150u

static void test_every_width_and_count(void **state)
{
    uint64_t codes[COUNT_MAX], back[COUNT_MAX + 1];
    uint8_t symbols[8 * COUNT_MAX + 1];
    uint64_t random = 1;

    (void)state;
    for (uint32_t bits = 2; bits <= 64; bits += 2)
        for (size_t count = 0; count < COUNT_MAX; count += 1 + count / 10) {
            size_t size = optinc_symbols_size(bits, count);

            for (size_t i = 0; i < count; i++) {
                codes[i] = (uint64_t)next_random(&random) << 32;
                codes[i] = (codes[i] | next_random(&random)) >> (64 - bits);
            }
            memset(symbols, 0xA5, sizeof symbols);
            memset(back, 0xA5, sizeof back);
            assert_int_equal(optinc_symbols_pack(bits, codes, count, symbols), OPTINC_OK);
            assert_int_equal(size, (count * bits + 7) / 8);
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < bits / 2; j++) {
                    size_t symbol = i * bits / 2 + j;

                    assert_int_equal(symbols[symbol / 4] >> symbol % 4 * 2 & 3,
                                     codes[i] >> 2 * j & 3);
                }
            for (size_t bit = count * bits; bit < 8 * size; bit++)
                assert_int_equal(symbols[bit / 8] >> bit % 8 & 1, 0);
            assert_int_equal(symbols[size], 0xA5);
            assert_int_equal(optinc_symbols_unpack(bits, symbols, count, back), OPTINC_OK);
            assert_memory_equal(back, codes, count * sizeof *codes);
            assert_int_equal(back[count], 0xA5A5A5A5A5A5A5A5u);
        }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(optinc_symbols_size(8, 0), 0);
    assert_int_equal(optinc_symbols_size(2, 1), 1);
    assert_int_equal(optinc_symbols_size(2, 4), 1);
    assert_int_equal(optinc_symbols_size(2, 5), 2);
    assert_int_equal(optinc_symbols_size(10, 3), 4);
    assert_true(optinc_symbols_size(8, SIZE_MAX - 1) == SIZE_MAX - 1);
    assert_true(optinc_symbols_size(2, SIZE_MAX) == SIZE_MAX / 4 + 1);
    assert_true(optinc_symbols_size(32, SIZE_MAX / 4) == SIZE_MAX - 3);
    assert_true(optinc_symbols_size(32, SIZE_MAX / 4 + 1) == SIZE_MAX);
    assert_true(optinc_symbols_size(64, SIZE_MAX) == SIZE_MAX);
}

static void test_codes_too_large(void **state)
{
    (void)state;
    for (uint32_t bits = 2; bits <= 64; bits += 2) {
        uint64_t codes[3] = {0, 0, 0};
        uint8_t symbols[24];

        memset(symbols, 0xA5, sizeof symbols);
        codes[2] = bits < 64 ? (uint64_t)1 << bits : UINT64_MAX;
        assert_int_equal(optinc_symbols_pack(bits, codes, 3, symbols),
                         bits < 64 ? OPTINC_ERR_INVALID_ARGUMENT : OPTINC_OK);
        if (bits < 64)
            assert_int_equal(symbols[0], 0xA5);
        codes[2]--;
        assert_int_equal(optinc_symbols_pack(bits, codes, 3, symbols), OPTINC_OK);
    }
}

static void test_bad_arguments(void **state)
{
    static const uint32_t bad[] = {0, 1, 3, 65, 66, UINT32_MAX};
    uint64_t codes[1] = {0};
    uint8_t symbols[8] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(optinc_symbols_pack(bad[i], codes, 1, symbols),
                         OPTINC_ERR_INVALID_ARGUMENT);
        assert_int_equal(optinc_symbols_unpack(bad[i], symbols, 1, codes),
                         OPTINC_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(optinc_symbols_pack(8, NULL, 1, symbols), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_symbols_pack(8, codes, 1, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_symbols_unpack(8, NULL, 1, codes), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_symbols_unpack(8, symbols, 1, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_symbols_pack(8, NULL, 0, NULL), OPTINC_OK);
    assert_int_equal(optinc_symbols_unpack(64, symbols, SIZE_MAX, codes), OPTINC_ERR_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_width_and_count),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_codes_too_large),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
