/* SPDX-License-Identifier: Apache-2.0 */
/* The .npy reader on any bytes: no crash, the same answer twice, and what it accepts survives being
 * written and read again. */
#include "npy.c"

/* assert would vanish in a build with NDEBUG */
static void require(bool holds)
{
    if (!holds)
        abort();
}

static optinc_status read_all(const uint8_t *bytes, size_t size, npy_shape *shape, float **values,
                              npy_message *message)
{
    FILE *stream = fmemopen((void *)(uintptr_t)bytes, size, "rb");
    optinc_status status;

    *values = NULL;
    message->text[0] = '\0';
    require(stream);
    status = npy_read_header(stream, shape, message);
    /* a stream without a length: what it says of its size is believed up to what is there */
    if (status == OPTINC_OK && shape->element_count <= size / sizeof(float)) {
        *values = malloc(shape->element_count * sizeof(float) + 1);
        require(*values);
        status = npy_read(stream, *values, shape->element_count, message);
    } else if (status == OPTINC_OK) {
        status = OPTINC_ERR_FORMAT;
    }
    fclose(stream);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    npy_shape shape[3];
    npy_message message[3];
    float *values[3];
    char *copy = NULL;
    size_t copy_size = 0;
    optinc_status status;

    if (size == 0)
        return 0;
    status = read_all(bytes, size, &shape[0], &values[0], &message[0]);
    require(read_all(bytes, size, &shape[1], &values[1], &message[1]) == status);
    require(strcmp(message[0].text, message[1].text) == 0);
    if (status == OPTINC_OK) {
        FILE *stream = open_memstream(&copy, &copy_size);

        require(stream && npy_write_header(stream, &shape[0]) == OPTINC_OK &&
                npy_write(stream, values[0], shape[0].element_count) == OPTINC_OK &&
                fclose(stream) == 0);
        require(copy_size % 64 == 4 * shape[0].element_count % 64);
        require(read_all((const uint8_t *)copy, copy_size, &shape[2], &values[2], &message[2]) ==
                OPTINC_OK);
        require(npy_shape_equal(&shape[0], &shape[2]));
        require(memcmp(values[0], values[2], shape[0].element_count * sizeof(float)) == 0);
        free(values[2]);
        free(copy);
    }
    free(values[0]);
    free(values[1]);
    return 0;
}
