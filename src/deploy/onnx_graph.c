/* onnx_graph.c - see onnx_graph.h.                                     Floor 7 (deploy)
 *
 * Field numbers are those of onnx.proto (github.com/onnx/onnx); they stand beside each message below. */
#include "deploy/onnx_graph.h"

#include <string.h>

#include "core/file.h"
#include "formats/protobuf.h"

enum { IR_VERSION = 8, OPSET = 13 };
enum { FLOAT = 1, INT64 = 7 }; /* TensorProto.DataType */
#define LIMIT ((size_t)INT32_MAX)

void rti_onnx_deinit(rti_onnx_graph *g) {
    rti_text_deinit(&g->nodes);
    rti_text_deinit(&g->weights);
    rti_text_deinit(&g->ends);
}

/* ---- NodeProto: input 1, output 2, name 3, op_type 4, attribute 5 ---- */

/* AttributeProto: name 1, f 2, i 3, ints 8, type 20. */
static void append_attribute(rti_text *node, const rti_onnx_attribute *a) {
    rti_text message = RTI_TEXT_EMPTY;
    rti_pb_text(&message, 1, a->name);
    if (a->kind == RTI_ONNX_FLOAT) rti_pb_float(&message, 2, (float)a->number);
    if (a->kind == RTI_ONNX_INT) rti_pb_int(&message, 3, a->ints[0]);
    for (int i = 0; a->kind == RTI_ONNX_INTS && i < a->count; i++) rti_pb_int(&message, 8, a->ints[i]);
    rti_pb_int(&message, 20, a->kind);
    rti_pb_message(node, 5, &message);
    rti_text_deinit(&message);
}

void rti_onnx_node(rti_onnx_graph *g, const char *op, const char *const inputs[], const char *output,
                   const rti_onnx_attribute attributes[]) {
    rti_text node = RTI_TEXT_EMPTY;
    for (int i = 0; inputs[i]; i++) rti_pb_text(&node, 1, inputs[i]);
    rti_pb_text(&node, 2, output);
    rti_pb_text(&node, 3, output);
    rti_pb_text(&node, 4, op);
    for (int i = 0; attributes && attributes[i].name; i++) append_attribute(&node, &attributes[i]);
    rti_pb_message(&g->nodes, 1, &node);
    rti_text_deinit(&node);
}

/* ---- TensorProto: dims 1, data_type 2, name 8, raw_data 9 (little-endian) ---- */

/* All but the data, of which `bytes` follow. */
static void begin_tensor(rti_onnx_graph *g, const char *name, int type, int ndim, const int64_t shape[],
                         size_t bytes) {
    rti_text head = RTI_TEXT_EMPTY;
    for (int i = 0; i < ndim; i++) rti_pb_int(&head, 1, shape[i]);
    rti_pb_int(&head, 2, type);
    rti_pb_text(&head, 8, name);
    rti_pb_begin(&head, 9, bytes);
    rti_pb_begin(&g->weights, 5, head.length + bytes);
    rti_text_append_bytes(&g->weights, head.bytes, head.length);
    g->weights.failed |= head.failed;
    rti_text_deinit(&head);
}

static void append_little_endian(rti_text *out, uint64_t bits, int bytes) {
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = (unsigned char)(bits >> 8 * i);
    rti_text_append_bytes(out, b, (size_t)bytes);
}

void rti_onnx_floats(rti_onnx_graph *g, const char *name, int ndim, const int64_t shape[],
                     rti_onnx_number *at, const void *context) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    begin_tensor(g, name, FLOAT, ndim, shape, (size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++) {
        const float x = (float)at(context, i);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        append_little_endian(&g->weights, bits, 4);
    }
}

void rti_onnx_ints(rti_onnx_graph *g, const char *name, int count, const int64_t values[]) {
    begin_tensor(g, name, INT64, 1, (const int64_t[]){count}, (size_t)count * sizeof *values);
    for (int i = 0; i < count; i++) append_little_endian(&g->weights, (uint64_t)values[i], 8);
}

/* ---- ValueInfoProto: name 1, type 2. TypeProto: tensor_type 1. Tensor: elem_type 1, shape 2.
 *      TensorShapeProto: dim 1. Dimension: dim_value 1, dim_param 2 ---- */

static void append_value(rti_text *out, int field, const char *name, int ndim, const int64_t shape[]) {
    rti_text dims = RTI_TEXT_EMPTY, one = RTI_TEXT_EMPTY, tensor = RTI_TEXT_EMPTY, type = RTI_TEXT_EMPTY,
             value = RTI_TEXT_EMPTY;
    rti_pb_text(&one, 2, "N");
    rti_pb_message(&dims, 1, &one);
    for (int i = 0; i < ndim; i++) {
        rti_text_clear(&one);
        rti_pb_int(&one, 1, shape[i]);
        rti_pb_message(&dims, 1, &one);
    }
    rti_pb_int(&tensor, 1, FLOAT);
    rti_pb_message(&tensor, 2, &dims);
    rti_pb_message(&type, 1, &tensor);
    rti_pb_text(&value, 1, name);
    rti_pb_message(&value, 2, &type);
    rti_pb_message(out, field, &value);
    rti_text_deinit(&dims);
    rti_text_deinit(&one);
    rti_text_deinit(&tensor);
    rti_text_deinit(&type);
    rti_text_deinit(&value);
}

void rti_onnx_graph_input(rti_onnx_graph *g, const char *name, int ndim, const int64_t shape[]) {
    append_value(&g->ends, 11, name, ndim, shape);
}

void rti_onnx_graph_output(rti_onnx_graph *g, const char *name, int ndim, const int64_t shape[]) {
    append_value(&g->ends, 12, name, ndim, shape);
}

/* ---- ModelProto: ir_version 1, producer_name 2, producer_version 3, graph 7, opset_import 8,
 *      metadata_props 14. GraphProto: node 1, name 2, initializer 5, input 11, output 12 ---- */

static void append_metadata(rti_text *out, const char *const metadata[]) {
    for (int i = 0; metadata && metadata[i]; i += 2) {
        rti_text entry = RTI_TEXT_EMPTY;
        rti_pb_text(&entry, 1, metadata[i]);
        rti_pb_text(&entry, 2, metadata[i + 1]);
        rti_pb_message(out, 14, &entry);
        rti_text_deinit(&entry);
    }
}

static void append_model(rti_text *out, const rti_onnx_graph *g, const char *name,
                         const char *const metadata[]) {
    rti_text opset = RTI_TEXT_EMPTY, title = RTI_TEXT_EMPTY;
    rti_pb_text(&title, 2, name);
    rti_pb_text(&opset, 1, ""); /* the standard operators */
    rti_pb_int(&opset, 2, OPSET);
    rti_pb_int(out, 1, IR_VERSION);
    rti_pb_text(out, 2, "retort");
    rti_pb_text(out, 3, RETORT_VERSION);
    const rti_text *const parts[] = {&g->nodes, &title, &g->weights, &g->ends};
    size_t length = 0;
    for (int i = 0; i < 4; i++) length += parts[i]->length;
    rti_pb_begin(out, 7, length);
    for (int i = 0; i < 4; i++) {
        rti_text_append_bytes(out, parts[i]->bytes, parts[i]->length);
        out->failed |= parts[i]->failed;
    }
    rti_pb_message(out, 8, &opset);
    append_metadata(out, metadata);
    rti_text_deinit(&opset);
    rti_text_deinit(&title);
}

rt_status rti_onnx_finish(const rti_onnx_graph *g, const char *name, const char *const metadata[],
                          const char *path, rt_error *error) {
    rti_text model = RTI_TEXT_EMPTY;
    append_model(&model, g, name, metadata);
    rt_status status;
    if (model.failed)
        status = rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path);
    else if (model.length > LIMIT)
        status = rt_fail(error, RT_UNSUPPORTED, "%s: ONNX files end at 2 GiB, the model needs %llu bytes",
                         path, (unsigned long long)model.length);
    else
        status = rti_file_write(path, model.bytes, model.length, error);
    rti_text_deinit(&model);
    return status;
}
