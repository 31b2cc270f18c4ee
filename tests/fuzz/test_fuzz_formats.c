/* Mutation fuzzing of the readers: thousands of damaged inputs, the same in every run. A reader may
 * accept or refuse, but must not crash, read outside the input (each is a block of exactly its
 * length, so that the address sanitizer sees one byte too far), leak, or hang. What is accepted is
 * walked over, and what a reader accepts must mean the same when it is read a second time. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "data/cifar.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/pnm.h"
#include "formats/safetensors.h"
#include "formats/toml.h"
#include "retort/alloc.h"
#include "retort/rng.h"

enum { LARGEST = 4096, ROUNDS = 6000 };

/* Reads `bytes` and folds all it found into the hash; false when refused. */
typedef bool reader(const char *bytes, size_t length, rti_hash *hash);

static bool read_csv(const char *bytes, size_t length, rti_hash *hash) {
    rti_csv csv;
    rt_error error;
    if (rti_csv_parse(&csv, bytes, length, ',', "fuzz", &error) != RT_OK) return false;
    for (int64_t i = 0; i < csv.rows * csv.columns; i++) {
        double value = 0;
        rti_hash_add_text(hash, csv.fields[i]);
        if (rti_csv_number(csv.fields[i], &value)) rti_hash_add(hash, &value, sizeof value);
    }
    rti_csv_deinit(&csv);
    return true;
}

static void walk_json(const rti_json *value, rti_hash *hash) {
    rti_hash_add(hash, &value->type, sizeof value->type);
    rti_hash_add(hash, &value->number, sizeof value->number);
    if (value->type == RTI_JSON_STRING) rti_hash_add(hash, value->string, value->string_length);
    for (int i = 0; i < value->count; i++) {
        if (value->type == RTI_JSON_OBJECT) {
            rti_hash_add_text(hash, value->keys[i]);
            cr_assert_eq(rti_json_get(value, value->keys[i]), &value->items[i]);
        }
        walk_json(&value->items[i], hash);
    }
}

static bool read_json(const char *bytes, size_t length, rti_hash *hash) {
    rti_json_document document;
    rt_error error;
    if (rti_json_parse(&document, bytes, length, "fuzz", &error) != RT_OK) return false;
    walk_json(&document.root, hash);
    rti_json_deinit(&document);
    return true;
}

static void walk_toml(const rti_toml_value *value, rti_hash *hash) {
    rti_hash_add(hash, &value->type, sizeof value->type);
    rti_hash_add(hash, &value->number, sizeof value->number);
    if (value->type == RTI_TOML_STRING) rti_hash_add_text(hash, value->string);
    for (int i = 0; i < value->count; i++) walk_toml(&value->items[i], hash);
}

static bool read_toml(const char *bytes, size_t length, rti_hash *hash) {
    rti_toml toml;
    rt_error error;
    if (rti_toml_parse(&toml, bytes, length, "fuzz", &error) != RT_OK) return false;
    for (int i = 0; i < toml.count; i++) {
        rti_hash_add_text(hash, toml.entries[i].key);
        walk_toml(&toml.entries[i].value, hash);
        for (int j = 0; j < i; j++) cr_assert_str_neq(toml.entries[i].key, toml.entries[j].key);
    }
    for (int i = 0; i < toml.table_count; i++) rti_hash_add_text(hash, toml.tables[i].name);
    rti_toml_deinit(&toml);
    return true;
}

static bool read_safetensors(const char *bytes, size_t length, rti_hash *hash) {
    rti_st_file file;
    rt_error error;
    if (rti_st_parse(&file, (const unsigned char *)bytes, length, "fuzz", &error) != RT_OK) return false;
    size_t covered = 0;
    for (int i = 0; i < file.count; i++) {
        const rti_st_entry *e = &file.entries[i];
        rti_hash_add_text(hash, e->name);
        rti_hash_add(hash, e->shape, sizeof e->shape);
        rti_hash_add(hash, e->data, e->bytes);
        covered += e->bytes;
    }
    for (int i = 0; i < 2 * file.metadata_count; i++) rti_hash_add_text(hash, file.metadata[i]);
    cr_assert_leq(covered, length);
    rti_st_deinit(&file);
    return true;
}

static bool read_npy(const char *bytes, size_t length, rti_hash *hash) {
    rti_npy npy;
    rt_error error;
    if (rti_npy_parse(&npy, (const unsigned char *)bytes, length, "fuzz", &error) != RT_OK) return false;
    cr_assert_eq((size_t)npy.offset + (size_t)npy.count * (size_t)npy.item_bytes, length);
    rti_hash_add(hash, npy.shape, sizeof npy.shape);
    for (int64_t i = 0; i < npy.count; i++) {
        double value = rti_npy_value(&npy, i);
        rti_hash_add(hash, &value, sizeof value);
    }
    rti_npy_deinit(&npy);
    return true;
}

/* One record, of CIFAR-10 or of CIFAR-100 by the groups: labels out of range must never be let through. */
static bool read_cifar(const char *bytes, size_t length, rti_hash *hash) {
    static const rti_cifar_form forms[2] = {{.name = "cifar10", .label_bytes = 1, .classes = {10}},
                                            {.name = "cifar100", .label_bytes = 2, .classes = {20, 100}}};
    uint8_t pixels[RTI_CIFAR_PIXELS];
    int32_t label;
    rt_error error;
    for (int f = 0; f < 2; f++) {
        const uint8_t *record = (const uint8_t *)bytes;
        if (rti_cifar_spread(&forms[f], record, length, "fuzz", 1, pixels, &label, &error) != RT_OK) continue;
        cr_assert(label >= 0 && label < forms[f].classes[forms[f].label]);
        rti_hash_add(hash, &label, sizeof label);
        rti_hash_add(hash, pixels, sizeof pixels);
        return true;
    }
    return false;
}

/* A stream of pictures. */
static bool read_pnm(const char *bytes, size_t length, rti_hash *hash) {
    for (size_t at = 0; at < length;) {
        rti_pnm picture;
        rt_error error;
        const size_t before = at;
        if (rti_pnm_parse(&picture, (const unsigned char *)bytes, length, &at, "fuzz", &error) != RT_OK)
            return false;
        const int64_t count = picture.width * picture.height * picture.channels;
        cr_assert(at > before && at <= length && count > 0 && (size_t)count <= length);
        rti_hash_add(hash, &picture.width, sizeof picture.width);
        rti_hash_add(hash, picture.pixels, (size_t)count);
        rt_free(picture.pixels);
    }
    return length > 0;
}

typedef struct input {
    unsigned char bytes[LARGEST];
    size_t length;
} input;

/* One of: flip a bit, set a byte, cut, repeat a piece, remove a piece, insert a word of the format. */
static void mutate(input *in, rt_rng *rng, const char *const *words, int word_count) {
    static const unsigned char nasty[] = {0,   0xFF, 0x7F, '"',  '\\', '{', '[', ']',
                                          '}', ',',  '\n', '\r', '0',  '-', '='};
    size_t at = in->length ? rt_rng_below(rng, (uint32_t)in->length) : 0;
    size_t left = in->length - at,
           piece = left ? 1 + rt_rng_below(rng, (uint32_t)(left < 40 ? left : 40)) : 0;
    const char *word = words[rt_rng_below(rng, (uint32_t)word_count)];
    switch (in->length ? rt_rng_below(rng, 6) : 5) {
    case 0:
        in->bytes[at] ^= (unsigned char)(1 << rt_rng_below(rng, 8));
        break;
    case 1:
        in->bytes[at] = nasty[rt_rng_below(rng, sizeof nasty)];
        break;
    case 2:
        in->length = at;
        break;
    case 3:
        if (in->length + piece > LARGEST) break;
        memmove(in->bytes + at + piece, in->bytes + at, left);
        in->length += piece;
        break;
    case 4:
        memmove(in->bytes + at, in->bytes + at + piece, left - piece);
        in->length -= piece;
        break;
    default:
        piece = strlen(word);
        if (in->length + piece > LARGEST) break;
        memmove(in->bytes + at + piece, in->bytes + at, left);
        memcpy(in->bytes + at, word, piece);
        in->length += piece;
    }
}

/* In a block of exactly its length from malloc, twice. */
static bool read_twice(reader *read, const input *in) {
    char *exact = malloc(in->length ? in->length : 1);
    cr_assert_not_null(exact);
    memcpy(exact, in->bytes, in->length);
    uint64_t first[2], second[2];
    bool accepted = false;
    for (int again = 0; again < 2; again++) {
        rti_hash hash;
        rti_hash_init(&hash, 0);
        accepted = read(exact, in->length, &hash);
        rti_hash_finish(&hash, again ? second : first);
    }
    cr_assert(first[0] == second[0] && first[1] == second[1]);
    free(exact);
    return accepted;
}

static void fuzz(const char *name, reader *read, const input *seeds, int seed_count, const char *const *words,
                 int word_count) {
    rt_rng rng = rt_rng_stream(20240501, name, 0, 0);
    int accepted = 0;
    for (int i = 0; i < seed_count; i++) cr_assert(read_twice(read, &seeds[i]), "seed %d of %s", i, name);
    for (size_t cut = 0; cut < seeds[0].length; cut++) { /* every truncation of the first */
        input in = seeds[0];
        in.length = cut;
        accepted += read_twice(read, &in);
    }
    for (int round = 0; round < ROUNDS; round++) {
        input in = seeds[rt_rng_below(&rng, (uint32_t)seed_count)];
        int mutations = 1 + (int)rt_rng_below(&rng, 4);
        for (int i = 0; i < mutations; i++) mutate(&in, &rng, words, word_count);
        accepted += read_twice(read, &in);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "%s leaks in round %d", name, round);
    }
    /* A reader that refuses or accepts everything would make this a test of nothing. */
    cr_assert(accepted > ROUNDS / 100 && accepted < ROUNDS, "%s: %d of %d accepted", name, accepted, ROUNDS);
}

static input text_input(const char *text) {
    input in = {.length = strlen(text)};
    memcpy(in.bytes, text, in.length);
    return in;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Test(fuzz_formats, csv, .timeout = 60) {
    static const char *const words[] = {"\"",  "\"\"",         ",",       "\r\n",      "\n\n",
                                        "1e9", "\xEF\xBB\xBF", "a,b,c\n", ",\"x\ny\","};
    input seeds[] = {text_input("a,b,c\n1,2,3\n\"x \"\"y\"\"\",,-1e-5\r\n\"two\nlines\",4,5\n"),
                     text_input("\xEF\xBB\xBF"
                                "label\n1\n2\n3\n"),
                     text_input("\"\"")};
    fuzz("csv", read_csv, seeds, COUNT(seeds), words, COUNT(words));
}

Test(fuzz_formats, json, .timeout = 60) {
    static const char *const words[] = {"\\u0000",
                                        "\\ud800",
                                        "\\udc00",
                                        "1e308",
                                        "9223372036854775808",
                                        "null",
                                        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                                        "{\"a\":1}",
                                        "\"a\":",
                                        "-0.0e-0",
                                        "true"};
    input seeds[] = {text_input("{\"a\": [1, -2.5e3, true, false, null, \"x\\u00e9\\ud83d\\ude00\\n\"], "
                                "\"b\": {\"c\": {}}, \"d\": []}"),
                     text_input("[0,1,2,[3,[4,[5,{\"k\":\"v\"}]]]]"), text_input("\"string\""),
                     text_input("-1.5e-7")};
    fuzz("json", read_json, seeds, COUNT(seeds), words, COUNT(words));
}

Test(fuzz_formats, toml, .timeout = 60) {
    static const char *const words[] = {"[a]\n", "[a.b]\n", "a.b = 1\n", "\"a.b\" = 2\n", "'",
                                        "\"",    "\\u00e9", "{a = 1}",   "[[1], [2]]",    "# c\n",
                                        "\r\n",  "1_000",   "0xFF",      "= {",           "a.a.a.a"};
    input seeds[] = {
        text_input(
            "name = \"x\\n\"\nseeds = [1, 2, # c\n 3]\n[student]\noptimizer = { name = 'sgd', lr = 1e-1 }\n"
            "a.b.c = 0x1F\n[sweep]\n\"d.t\" = [1, 2.5, [true]]\r\n"),
        text_input("a.b = 1\na.c = {d = {}, e.f = -0}\n[b]\n"), text_input("x = 'y'")};
    fuzz("toml", read_toml, seeds, COUNT(seeds), words, COUNT(words));
}

static input safetensors_input(const char *header, size_t data_bytes) {
    input in = {.length = 8 + strlen(header) + data_bytes};
    for (int i = 0; i < 8; i++) in.bytes[i] = (unsigned char)((uint64_t)strlen(header) >> 8 * i);
    memcpy(in.bytes + 8, header, strlen(header));
    return in;
}

/* The length in front is put right after half of the mutations: else hardly one would pass it. */
static bool read_safetensors_repaired(const char *bytes, size_t length, rti_hash *hash) {
    bool accepted = read_safetensors(bytes, length, hash);
    const char *end = NULL;
    for (size_t i = 8; i + 1 < length; i++)
        if (bytes[i] == '}' && bytes[i + 1] == '}') end = bytes + i + 2;
    if (accepted || !end) return accepted;
    char *repaired = malloc(length);
    memcpy(repaired, bytes, length);
    for (int i = 0; i < 8; i++) repaired[i] = (char)((uint64_t)(end - bytes - 8) >> 8 * i);
    accepted = read_safetensors(repaired, length, hash);
    free(repaired);
    return accepted;
}

Test(fuzz_formats, safetensors, .timeout = 60) {
    static const char *const words[] = {"9223372036854775807",
                                        "4294967296",
                                        "-1",
                                        "0",
                                        "[0,0]",
                                        "\"F64\"",
                                        "1.0",
                                        "\"U8\"",
                                        "[4,8]",
                                        ",\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}"};
    input seeds[] = {
        safetensors_input(
            "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[4,8]}}",
            8),
        safetensors_input("{\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}   ", 8),
        safetensors_input("{\"__metadata__\":{\"a\":\"\"}}", 0)};
    fuzz("safetensors", read_safetensors_repaired, seeds, COUNT(seeds), words, COUNT(words));
}

static input npy_input(int version, const char *header, size_t data_bytes) {
    size_t start = version == 1 ? 10 : 12;
    input in = {.bytes = "\x93NUMPY", .length = start + strlen(header) + data_bytes};
    in.bytes[6] = (unsigned char)version;
    in.bytes[8] = (unsigned char)strlen(header);
    memcpy(in.bytes + start, header, strlen(header));
    for (size_t i = 0; i < data_bytes; i++) in.bytes[start + strlen(header) + i] = (unsigned char)(37 * i);
    return in;
}

/* The header's length is put right where a mutation has moved its end. */
static bool read_npy_repaired(const char *bytes, size_t length, rti_hash *hash) {
    bool accepted = read_npy(bytes, length, hash);
    const char *end = length > 12 ? memchr(bytes + 12, '\n', length - 12) : NULL;
    if (accepted || !end) return accepted;
    char *repaired = malloc(length);
    memcpy(repaired, bytes, length);
    size_t header = (size_t)(end + 1 - bytes) - (bytes[6] == 1 ? 10 : 12);
    repaired[8] = (char)(header & 255), repaired[9] = (char)(header >> 8);
    accepted = read_npy(repaired, length, hash);
    free(repaired);
    return accepted;
}

Test(fuzz_formats, npy, .timeout = 60) {
    static const char *const words[] = {
        "9223372036854775807", "4294967296", "0",    ",",     "()", "'|O'",     "'>f4'", "'<f8'", "'|u1'",
        "True",                "(2,2)",      "\n",   "'shape'", " ",  "1, ",      "'<f2'", "\x93NUMPY"};
    input seeds[] = {npy_input(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     \n", 24),
                     npy_input(2, "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }\n", 5),
                     npy_input(3, "{'descr': '<i8', 'fortran_order': True, 'shape': (), }\n", 8)};
    fuzz("npy", read_npy_repaired, seeds, COUNT(seeds), words, COUNT(words));
}

Test(fuzz_formats, cifar, .timeout = 60) {
    static const char *const words[] = {"\x09", "\x0a", "\x13\x63", "\x14", "\x64"};
    input seeds[2] = {{.length = 1 + RTI_CIFAR_PIXELS}, {.length = 2 + RTI_CIFAR_PIXELS}};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < seeds[s].length; i++) seeds[s].bytes[i] = (unsigned char)(i < 2 ? 7 : i);
    fuzz("cifar", read_cifar, seeds, COUNT(seeds), words, COUNT(words));
}

Test(fuzz_formats, pnm, .timeout = 60) {
    static const char *const words[] = {"P2 ", "P3\n", "P5 1 1 255\nA", "P6 ", "#", "\n", " 65536 ", " 0 ",
                                        "255", "99999999999999999999", " 1 1 1 "};
    input seeds[] = {text_input("P2 3 2 255\n0 1 2\n10 254 255\n"),
                     text_input("P5 # c\n2 2\n15\n\x01\x02\x03\x04"),
                     text_input("P3 1 1 9 1 2 3\nP6 2 1 255\nabcdef"),
                     text_input("P5 1 1 255\nA P2 1 1 1 1")};
    fuzz("pnm", read_pnm, seeds, COUNT(seeds), words, COUNT(words));
}
