/* onnx_reader.c - the messages. See onnx_reader.h. */
#include "onnx_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"

typedef struct span {
    const unsigned char *at, *end;
} span;

typedef struct field {
    uint64_t number;
    int wire;       /* 0 varint, 2 bytes, 5 fixed */
    uint64_t value; /* of the first and the last */
    span bytes;
} field;

static uint64_t varint(span *s) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        cr_assert(s->at < s->end, "a varint is cut off");
        const unsigned char byte = *s->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) return value;
    }
    cr_assert_fail("a varint has more than ten bytes");
    return 0;
}

static bool next(span *s, field *f) {
    if (s->at == s->end) return false;
    const uint64_t key = varint(s);
    *f = (field){.number = key >> 3, .wire = (int)(key & 7)};
    cr_assert(f->number > 0);
    if (f->wire == 0) {
        f->value = varint(s);
    } else if (f->wire == 2) {
        const uint64_t count = varint(s);
        cr_assert(count <= (uint64_t)(s->end - s->at), "field %d is longer than its message", (int)f->number);
        f->bytes = (span){s->at, s->at + count};
        s->at += count;
    } else {
        cr_assert_eq(f->wire, 5, "wire type %d", f->wire);
        cr_assert(s->end - s->at >= 4);
        for (int i = 0; i < 4; i++) f->value |= (uint64_t)s->at[i] << 8 * i;
        s->at += 4;
    }
    return true;
}

static void text(const field *f, char *out, size_t size) {
    const size_t length = (size_t)(f->bytes.end - f->bytes.at);
    cr_assert(f->wire == 2 && length < size, "a text of %d bytes", (int)length);
    memcpy(out, f->bytes.at, length);
    out[length] = 0;
}

static int64_t whole(const field *f) {
    cr_assert_eq(f->wire, 0);
    return (int64_t)f->value;
}

static double real(const field *f) {
    cr_assert_eq(f->wire, 5);
    const uint32_t bits = (uint32_t)f->value;
    float x;
    memcpy(&x, &bits, 4);
    return (double)x;
}

static void read_attribute(span s, onnx_attribute *a) {
    for (field f; next(&s, &f);) switch (f.number) {
        case 1:
            text(&f, a->name, sizeof a->name);
            break;
        case 2:
            a->f = real(&f), a->has_f = true;
            break;
        case 3:
            a->i = whole(&f), a->has_i = true;
            break;
        case 8:
            a->ints[a->ints_count++] = whole(&f);
            break;
        case 20:
            a->type = whole(&f);
            break;
        default:
            cr_assert_fail("field %d of an attribute", (int)f.number);
        }
    cr_assert(a->type == (a->has_f ? 1 : a->has_i ? 2 : 7), "%s: type %d", a->name, (int)a->type);
}

static void read_node(span s, onnx_node *n) {
    for (field f; next(&s, &f);) switch (f.number) {
        case 1:
            cr_assert(n->in_count < 8);
            text(&f, n->in[n->in_count++], ONNX_NAME);
            break;
        case 2:
            cr_assert_eq(n->out[0], 0, "one output for each node");
            text(&f, n->out, sizeof n->out);
            break;
        case 3:
            text(&f, n->name, sizeof n->name);
            break;
        case 4:
            text(&f, n->op, sizeof n->op);
            break;
        case 5:
            cr_assert(n->attribute_count < 8);
            read_attribute(f.bytes, &n->attributes[n->attribute_count++]);
            break;
        default:
            cr_assert_fail("field %d of a node", (int)f.number);
        }
    cr_assert(n->out[0] && n->op[0] && n->in_count > 0);
}

/* TensorProto: dims 1, data_type 2 (1 FLOAT, 7 INT64), name 8, raw_data 9. */
static void read_array(span s, onnx_array *a) {
    int64_t type = 0;
    span raw = {NULL, NULL};
    a->count = 1;
    for (field f; next(&s, &f);) switch (f.number) {
        case 1:
            cr_assert(a->ndim < ONNX_DIMS);
            a->shape[a->ndim] = whole(&f);
            a->count *= a->shape[a->ndim++];
            break;
        case 2:
            type = whole(&f);
            break;
        case 8:
            text(&f, a->name, sizeof a->name);
            break;
        case 9:
            raw = f.bytes;
            break;
        default:
            cr_assert_fail("field %d of a tensor", (int)f.number);
        }
    cr_assert(type == 1 || type == 7, "%s has the type %d", a->name, (int)type);
    a->whole = type == 7;
    const int width = a->whole ? 8 : 4;
    cr_assert(a->count > 0 && raw.at);
    cr_assert_eq(raw.end - raw.at, a->count * width, "%s: %d numbers in %d bytes", a->name, (int)a->count,
                 (int)(raw.end - raw.at));
    a->numbers = malloc((size_t)a->count * sizeof *a->numbers);
    for (int64_t i = 0; i < a->count; i++) {
        uint64_t bits = 0;
        for (int b = 0; b < width; b++) bits |= (uint64_t)raw.at[i * width + b] << 8 * b;
        if (a->whole)
            a->numbers[i] = (double)(int64_t)bits;
        else
            a->numbers[i] = real(&(field){.wire = 5, .value = bits});
    }
}

/* ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; elem_type 1, shape 2; dim 1; dim_value 1,
 * dim_param 2. */
static void read_end(span s, onnx_end *e) {
    field f, g, h, d, v;
    while (next(&s, &f)) {
        if (f.number == 1)
            text(&f, e->name, sizeof e->name);
        else
            cr_assert_eq(f.number, 2);
        while (f.number == 2 && next(&f.bytes, &g)) {
            cr_assert_eq(g.number, 1);
            while (next(&g.bytes, &h)) {
                if (h.number == 1)
                    e->type = whole(&h);
                else
                    cr_assert_eq(h.number, 2);
                for (int i = 0; h.number == 2 && next(&h.bytes, &d); i++) {
                    cr_assert(d.number == 1 && next(&d.bytes, &v) && i <= ONNX_DIMS);
                    cr_assert_eq(v.number, i ? 1 : 2, "the batch alone is free");
                    if (i)
                        e->dims[e->ndim++] = whole(&v);
                    else
                        text(&v, e->batch, sizeof e->batch);
                }
            }
        }
    }
}

static void read_graph(span s, onnx_model *m) {
    for (field f; next(&s, &f);) switch (f.number) {
        case 1:
            cr_assert(m->node_count < ONNX_NODES);
            read_node(f.bytes, &m->nodes[m->node_count++]);
            break;
        case 2:
            text(&f, m->graph, sizeof m->graph);
            break;
        case 5:
            cr_assert(m->array_count < ONNX_ARRAYS);
            read_array(f.bytes, &m->arrays[m->array_count++]);
            break;
        case 11:
            m->inputs++, read_end(f.bytes, &m->input);
            break;
        case 12:
            m->outputs++, read_end(f.bytes, &m->output);
            break;
        default:
            cr_assert_fail("field %d of a graph", (int)f.number);
        }
}

static void read_opset(span s, onnx_model *m) {
    char domain[8] = "";
    for (field f; next(&s, &f);) switch (f.number) {
        case 1: text(&f, domain, sizeof domain); break;
        case 2: m->opset = whole(&f); break;
        default: cr_assert_fail("field %d of an operator set", (int)f.number);
        }
    cr_assert_str_eq(domain, "");
}

static void read_metadata(span s, onnx_model *m) {
    char key[64] = "", value[512] = "";
    for (field f; next(&s, &f);) switch (f.number) {
        case 1: text(&f, key, sizeof key); break;
        case 2: text(&f, value, sizeof value); break;
        default: cr_assert_fail("field %d of a pair", (int)f.number);
        }
    if (!strcmp(key, "retort.fingerprint")) snprintf(m->fingerprint, sizeof m->fingerprint, "%.60s", value);
    if (!strcmp(key, "retort.model")) snprintf(m->summary, sizeof m->summary, "%s", value);
}

void onnx_read(onnx_model *m, const char *path) {
    size_t length;
    char *bytes = test_file(path, &length);
    cr_assert(bytes, "%s", path);
    memset(m, 0, sizeof *m);
    span s = {(unsigned char *)bytes, (unsigned char *)bytes + length};
    int graphs = 0;
    for (field f; next(&s, &f);) switch (f.number) {
        case 1:
            m->ir_version = whole(&f);
            break;
        case 2:
            text(&f, m->producer, sizeof m->producer);
            break;
        case 3:
            text(&f, m->version, sizeof m->version);
            break;
        case 7:
            graphs++, read_graph(f.bytes, m);
            break;
        case 8:
            read_opset(f.bytes, m);
            break;
        case 14:
            read_metadata(f.bytes, m);
            break;
        default:
            cr_assert_fail("field %d of a model", (int)f.number);
        }
    cr_assert_eq(graphs, 1);
    free(bytes);
}

void onnx_free(onnx_model *m) {
    for (int i = 0; i < m->array_count; i++) free(m->arrays[i].numbers);
}

const onnx_attribute *onnx_find(const onnx_node *node, const char *name) {
    for (int i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0) return &node->attributes[i];
    return NULL;
}
