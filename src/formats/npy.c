/* npy.c - see npy.h.                                                   Floor 6 (formats) */
#include "formats/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "retort/alloc.h"

#define FILE_MAX ((uint64_t)16 << 30)
#define HEADER_MAX 65536u
#define WORD_MAX 64      /* of a text in the header: 'fortran_order' is the longest that is right */
#define ALIGNMENT 64     /* the numbers begin at a multiple of it */
#define GROWTH_DIGITS 21 /* room that NumPy leaves for a first extent that grows in place */

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *descr, *name;
    int bytes;
} dtypes[] = {
#define X(code, descr, name, bytes) {descr, name, bytes},
    RTI_NPY_LIST(X)
#undef X
};

bool rti_npy_is_float(rti_npy_dtype dtype) { return dtype >= RTI_NPY_F2; }
const char *rti_npy_name(rti_npy_dtype dtype) { return dtypes[dtype].name; }
int rti_npy_bytes(rti_npy_dtype dtype) { return dtypes[dtype].bytes; }

bool rti_npy_begins(const unsigned char *bytes, size_t length) {
    return length >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* ---- the header's text ---- */

typedef struct cursor {
    const char *name; /* of the file */
    const unsigned char *text, *at, *end;
    rt_error *error;
} cursor;

static rt_status fail(const cursor *c, const char *expected) {
    size_t offset = (size_t)(c->at - c->text);
    if (c->at == c->end)
        return rt_fail(c->error, RT_FORMAT, "%s: the header ends where %s should stand", c->name, expected);
    if (*c->at < ' ' || *c->at > '~')
        return rt_fail(c->error, RT_FORMAT, "%s: byte %zu of the header is 0x%02x; %s is expected there",
                       c->name, offset, *c->at, expected);
    return rt_fail(c->error, RT_FORMAT, "%s: byte %zu of the header is '%c'; %s is expected there", c->name,
                   offset, *c->at, expected);
}

static void skip_blanks(cursor *c) {
    while (c->at < c->end && *c->at == ' ') c->at++;
}

/* Passes `mark` and the blanks before it, when it is there. */
static bool passes(cursor *c, char mark) {
    skip_blanks(c);
    if (c->at == c->end || *c->at != (unsigned char)mark) return false;
    c->at++;
    return true;
}

/* 'text' or "text", of printable ASCII without a backslash. */
static rt_status read_text(cursor *c, const char *expected, char out[WORD_MAX]) {
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return fail(c, expected);
    unsigned char quote = *c->at++;
    int length = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (*c->at < ' ' || *c->at > '~' || *c->at == '\\') return fail(c, "a plain character");
        if (length == WORD_MAX - 1) return fail(c, "the end of a short text");
        out[length++] = (char)*c->at;
    }
    out[length] = 0;
    if (c->at == c->end) return fail(c, "a closing quote");
    c->at++;
    return RT_OK;
}

static rt_status read_descr(cursor *c, rti_npy *npy) {
    char descr[WORD_MAX];
    skip_blanks(c);
    if (c->at < c->end && *c->at == '[')
        return rt_fail(c->error, RT_UNSUPPORTED,
                       "%s: is a structured array, with named fields; save a plain one, field by field: "
                       "np.save(\"x.npy\", a[\"field\"])",
                       c->name);
    RT_TRY(read_text(c, "a dtype in quotes, '<f4' for example,", descr));
    for (int i = 0; i < RTI_NPY_DTYPES; i++) {
        bool order_is_free = dtypes[i].bytes == 1 && descr[0] && strchr("|<>=", descr[0]);
        if (strcmp(descr, dtypes[i].descr) == 0 ||
            (order_is_free && strcmp(descr + 1, dtypes[i].descr + 1) == 0)) {
            npy->dtype = (rti_npy_dtype)i;
            npy->item_bytes = dtypes[i].bytes;
            return RT_OK;
        }
        if (descr[0] == '>' && strcmp(descr + 1, dtypes[i].descr + 1) == 0)
            return rt_fail(c->error, RT_UNSUPPORTED,
                           "%s: holds big-endian numbers ('%s'), little-endian ones are read: "
                           "np.save(\"x.npy\", a.astype(\"%s\"))",
                           c->name, descr, dtypes[i].descr);
    }
    if (strchr(descr, 'O'))
        return rt_fail(c->error, RT_UNSUPPORTED,
                       "%s: is an object array ('%s'). It would need pickle, which runs what is in the file, "
                       "and is not read; save numbers: np.save(\"x.npy\", np.array(a.tolist(), "
                       "dtype=\"float32\"))",
                       c->name, descr);
    return rt_fail(c->error, RT_UNSUPPORTED,
                   "%s: the dtype '%s' is not read (bool, whole numbers and floats of 1 to 8 bytes are); "
                   "save numbers: np.save(\"x.npy\", a.astype(\"float32\"))",
                   c->name, descr);
}

static rt_status read_bool(cursor *c, bool *out) {
    skip_blanks(c);
    for (int value = 0; value < 2; value++) {
        const char *word = value ? "True" : "False";
        size_t length = strlen(word);
        if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) continue;
        c->at += length;
        *out = value;
        return RT_OK;
    }
    return fail(c, "True or False");
}

static rt_status read_extent(cursor *c, int64_t *out) {
    skip_blanks(c);
    const unsigned char *start = c->at;
    *out = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (*out > (INT64_MAX - 9) / 10) return fail(c, "the end of a number of at most 18 digits");
        *out = *out * 10 + (*c->at - '0');
    }
    return c->at > start ? RT_OK : fail(c, "a whole number from 0 up");
}

/* A tuple of Python's: (), (3,), (3, 4), (3, 4,). */
static rt_status read_shape(cursor *c, rti_npy *npy) {
    bool comma = true;
    if (!passes(c, '(')) return fail(c, "the '(' of a shape");
    npy->ndim = 0;
    while (!passes(c, ')')) {
        if (!comma) return fail(c, "',' or ')'");
        if (npy->ndim == RT_MAX_DIMS)
            return rt_fail(c->error, RT_UNSUPPORTED,
                           "%s: has more than %d dimensions, at most so many are read: reshape it", c->name,
                           RT_MAX_DIMS);
        RT_TRY(read_extent(c, &npy->shape[npy->ndim++]));
        comma = passes(c, ',');
    }
    if (npy->ndim == 1 && !comma) {
        c->at--;
        return fail(c, "the ',' of a tuple of one number");
    }
    return RT_OK;
}

static rt_status read_header(cursor *c, rti_npy *npy) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    bool seen[3] = {false}, fortran = false, comma = true;
    if (!passes(c, '{')) return fail(c, "the '{' of a dictionary");
    while (!passes(c, '}')) {
        char key[WORD_MAX];
        int which = 0;
        if (!comma) return fail(c, "',' or '}'");
        RT_TRY(read_text(c, "a key in quotes", key));
        while (which < 3 && strcmp(key, keys[which]) != 0) which++;
        if (which == 3)
            return rt_fail(c->error, RT_FORMAT,
                           "%s: the header has the unknown key '%s'; descr, fortran_order and shape belong "
                           "there",
                           c->name, key);
        if (seen[which])
            return rt_fail(c->error, RT_FORMAT, "%s: the header has the key '%s' twice", c->name, key);
        seen[which] = true;
        if (!passes(c, ':')) return fail(c, "':'");
        if (which == 0)
            RT_TRY(read_descr(c, npy));
        else if (which == 1)
            RT_TRY(read_bool(c, &fortran));
        else
            RT_TRY(read_shape(c, npy));
        comma = passes(c, ',');
    }
    for (int i = 0; i < 3; i++)
        if (!seen[i])
            return rt_fail(c->error, RT_FORMAT, "%s: the header lacks the key '%s'", c->name, keys[i]);
    skip_blanks(c);
    if (c->end - c->at != 1 || *c->at != '\n') return fail(c, "the line end that closes the header");
    if (fortran && npy->ndim > 1)
        return rt_fail(c->error, RT_UNSUPPORTED,
                       "%s: is in Fortran order, column by column; save it row by row: "
                       "np.save(\"x.npy\", np.ascontiguousarray(a))",
                       c->name);
    return RT_OK;
}

/* ---- reading ---- */

/* The shape must describe the `have` bytes behind the header exactly. */
static rt_status check_length(rti_npy *npy, size_t have, const char *name, rt_error *error) {
    uint64_t count = 1;
    bool empty = false;
    for (int d = 0; d < npy->ndim; d++) empty = empty || npy->shape[d] == 0;
    for (int d = 0; d < npy->ndim && !empty; d++) {
        if (count > FILE_MAX / (uint64_t)npy->shape[d])
            return rt_fail(error, RT_FORMAT,
                           "%s: the extents of the shape multiply to more than %llu numbers; the header is "
                           "damaged",
                           name, (unsigned long long)FILE_MAX);
        count *= (uint64_t)npy->shape[d];
    }
    if (empty) count = 0;
    uint64_t need = count * (uint64_t)npy->item_bytes;
    if (need != have)
        return rt_fail(
            error, RT_FORMAT, "%s: the header promises %llu bytes of %s and the file has %zu; it is %s", name,
            (unsigned long long)need, dtypes[npy->dtype].name, have, need > have ? "truncated" : "too long");
    npy->count = (int64_t)count;
    return RT_OK;
}

static rt_status parse(rti_npy *npy, const unsigned char *bytes, size_t length, const char *name,
                       rt_error *error) {
    if (length >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: is an archive (.npz, .zip): unpack it, for example with unzip, and name the .npy "
                       "in it",
                       name);
    if (!rti_npy_begins(bytes, length < sizeof magic ? 0 : length))
        return rt_fail(error, RT_FORMAT, "%s: not an NPY file: it does not start with \\x93NUMPY", name);
    if (length < 8) return rt_fail(error, RT_FORMAT, "%s: ends in the middle of its header", name);
    int major = bytes[6], minor = bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return rt_fail(error, RT_UNSUPPORTED, "%s: is of version %d.%d; 1.0, 2.0 and 3.0 are read", name,
                       major, minor);
    size_t start = major == 1 ? 10 : 12, header = 0;
    if (length < start) return rt_fail(error, RT_FORMAT, "%s: ends in the middle of its header", name);
    for (size_t i = start; i > 8; i--) header = header << 8 | bytes[i - 1];
    if (header > length - start)
        return rt_fail(error, RT_FORMAT,
                       "%s: the header should be %zu bytes long and only %zu follow; the file is truncated",
                       name, header, length - start);
    if (header > HEADER_MAX)
        return rt_fail(error, RT_FORMAT, "%s: the header is %zu bytes long, at most %u are read", name,
                       header, HEADER_MAX);
    cursor c = {name, bytes + start, bytes + start, bytes + start + header, error};
    RT_TRY(read_header(&c, npy));
    npy->offset = (int64_t)(start + header);
    npy->data = bytes + npy->offset;
    return check_length(npy, length - (size_t)npy->offset, name, error);
}

rt_status rti_npy_parse(rti_npy *npy, const unsigned char *bytes, size_t length, const char *name,
                        rt_error *error) {
    *npy = (rti_npy){0};
    rt_status status = parse(npy, bytes, length, name, error);
    if (status != RT_OK) *npy = (rti_npy){0};
    return status;
}

rt_status rti_npy_read(rti_npy *npy, const char *path, rt_error *error) {
    *npy = (rti_npy){0};
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, FILE_MAX < SIZE_MAX ? (size_t)FILE_MAX : SIZE_MAX, &bytes, error));
    rt_status status = rti_npy_parse(npy, bytes.data, bytes.count, path, error);
    if (status != RT_OK)
        rt_free(bytes.data);
    else
        npy->memory = bytes.data;
    return status;
}

void rti_npy_deinit(rti_npy *npy) {
    rt_free(npy->memory);
    *npy = (rti_npy){0};
}

/* ---- numbers ---- */

/* IEEE 754 binary16: 1 bit sign, 5 bits exponent, 10 bits fraction. */
static double half_value(unsigned bits) {
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double value = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -value : value;
}

double rti_npy_value(const rti_npy *npy, int64_t i) {
    RT_ASSERT(i >= 0 && i < npy->count, "number %lld of %lld", (long long)i, (long long)npy->count);
    const unsigned char *at = npy->data + (size_t)i * (size_t)npy->item_bytes;
    uint64_t bits = 0;
    for (int b = npy->item_bytes - 1; b >= 0; b--) bits = bits << 8 | at[b];
    uint32_t low = (uint32_t)bits;
    float single;
    double wide;
    switch (npy->dtype) {
    case RTI_NPY_B1:
        return bits != 0;
    case RTI_NPY_I1:
        return (int8_t)bits;
    case RTI_NPY_I2:
        return (int16_t)bits;
    case RTI_NPY_I4:
        return (int32_t)bits;
    case RTI_NPY_I8:
        return (double)(int64_t)bits;
    case RTI_NPY_F2:
        return half_value((unsigned)bits);
    case RTI_NPY_F4:
        return (double)*(float *)memcpy(&single, &low, sizeof single);
    case RTI_NPY_F8:
        return *(double *)memcpy(&wide, &bits, sizeof wide);
    default:
        return (double)bits;
    }
}

/* ---- writing ---- */

/* The dictionary, room for the first extent to grow, and spaces so that the numbers are aligned. */
static void write_header(rti_text *text, rti_npy_dtype dtype, int ndim, const int64_t shape[]) {
    char first[24];
    rti_text_append_bytes(text, magic, sizeof magic);
    rti_text_append_bytes(text, "\1\0\0\0", 4); /* version 1.0; the length is filled in below */
    rti_text_printf(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtypes[dtype].descr);
    for (int d = 0; d < ndim; d++) rti_text_printf(text, "%s%lld", d ? ", " : "", (long long)shape[d]);
    rti_text_append(text, ndim == 1 ? ",), }" : "), }");
    if (ndim > 0) {
        int digits = snprintf(first, sizeof first, "%lld", (long long)shape[0]);
        rti_text_printf(text, "%*s", GROWTH_DIGITS - digits, "");
    }
    if (text->failed) return;
    int spaces = ALIGNMENT - (int)((text->length + 1) % ALIGNMENT);
    rti_text_printf(text, "%*s\n", spaces, "");
    if (text->failed) return;
    size_t header = text->length - 10;
    text->bytes[8] = (char)(unsigned char)(header & 255);
    text->bytes[9] = (char)(unsigned char)(header >> 8);
}

static void append_little_endian(unsigned char *to, const unsigned char *data, size_t bytes, size_t width) {
    const uint16_t one = 1;
    if (*(const unsigned char *)&one == 1 || width == 1) {
        if (bytes) memcpy(to, data, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++) to[i] = data[i / width * width + (width - 1 - i % width)];
}

rt_status rti_npy_write(const char *path, rti_npy_dtype dtype, int ndim, const int64_t shape[],
                        const void *data, rt_error *error) {
    RT_ASSERT((unsigned)dtype < RTI_NPY_DTYPES && ndim >= 0 && ndim <= RT_MAX_DIMS, "dtype %d, %d dimensions",
              (int)dtype, ndim);
    size_t bytes = (size_t)dtypes[dtype].bytes, width = bytes;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0 || (shape[d] > 0 && bytes > FILE_MAX / (uint64_t)shape[d]))
            return rt_fail(error, RT_VALUE, "%s: an array with extent %d of %lld is too large to write", path,
                           d, (long long)shape[d]);
        bytes *= (size_t)shape[d];
    }
    RT_ASSERT(data || bytes == 0, "%zu bytes without data", bytes);
    rti_text header = RTI_TEXT_EMPTY;
    write_header(&header, dtype, ndim, shape);
    unsigned char *all = header.failed ? NULL : rt_alloc(header.length + bytes);
    rt_status status;
    if (all) {
        memcpy(all, header.bytes, header.length);
        append_little_endian(all + header.length, data, bytes, width);
        status = rti_file_write(path, all, header.length + bytes, error);
    } else {
        status = rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path);
    }
    rt_free(all);
    rti_text_deinit(&header);
    return status;
}
