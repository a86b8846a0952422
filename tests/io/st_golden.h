/* SPDX-License-Identifier: MIT
 * st_golden.h - a file written by the safetensors library (0.8.0), nine tensors of nine dtypes.
 */
#ifndef SCT_TESTS_IO_ST_GOLDEN_H
#define SCT_TESTS_IO_ST_GOLDEN_H

#define ST_GOLDEN_HEADER                                                                         \
    "{\"__metadata__\":{\"format\":\"pt\"},"                                                     \
    "\"p\xc3\xa4th \\\"q\\\"\\\\\\n\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}," \
    "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]},"                           \
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[16,40]},"                        \
    "\"e\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[40,40]},"                        \
    "\"z\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[40,44]},"                           \
    "\"w\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[44,48]},"                         \
    "\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[48,54]},"                          \
    "\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[54,57]},"                           \
    "\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[57,59]}}  "

static const unsigned char st_golden_data[59] = {
    0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9,
    0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x3e, 0x00, 0x00, 0x00, 0x3f, 0x00, 0x00,
    0x40, 0x3f, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0xa0, 0x3f, 0x07, 0x00, 0x00, 0x00, 0x80,
    0x3f, 0x49, 0x40, 0x00, 0x3c, 0x00, 0xc1, 0xff, 0x7b, 0x01, 0x02, 0xff, 0x01, 0x00,
};

#endif
