/* onnx_graph.h - nodes, weights and the file around them: onnx.proto.  Floor 7 (deploy)
 *
 * Knows the messages of the format and nothing of layers. Nodes are written in the order of the calls, which
 * must be topological. Memory that is missing sticks to the graph; rti_onnx_finish reports it. */
#ifndef RTI_ONNX_GRAPH_H
#define RTI_ONNX_GRAPH_H

#include "core/text.h"
#include "retort/tensor.h"

#define RTI_ONNX_NAME 96

typedef struct rti_onnx_graph {
    rti_text nodes, weights, ends; /* fields of a GraphProto; ends: inputs and outputs */
} rti_onnx_graph;

void rti_onnx_deinit(rti_onnx_graph *graph);

/* An attribute of a node; a list of them ends with one whose name is NULL. The kinds are AttributeProto's. */
typedef enum rti_onnx_kind { RTI_ONNX_FLOAT = 1, RTI_ONNX_INT = 2, RTI_ONNX_INTS = 7 } rti_onnx_kind;
typedef struct rti_onnx_attribute {
    const char *name;
    rti_onnx_kind kind;
    double number;    /* of a FLOAT */
    int count;        /* of INTS */
    int64_t ints[4];  /* an INT is ints[0] */
} rti_onnx_attribute;

/* output = op(inputs); inputs end with NULL, attributes may be NULL. */
void rti_onnx_node(rti_onnx_graph *graph, const char *op, const char *const inputs[], const char *output,
                   const rti_onnx_attribute attributes[]);

/* Initialisers. _floats: `at(context, i)` is number i in row-major order. */
typedef double rti_onnx_number(const void *context, int64_t i);
void rti_onnx_floats(rti_onnx_graph *graph, const char *name, int ndim, const int64_t shape[],
                     rti_onnx_number *at, const void *context);
void rti_onnx_ints(rti_onnx_graph *graph, const char *name, int count, const int64_t values[]); /* (count) */

/* float32 (N, shape...). */
void rti_onnx_graph_input(rti_onnx_graph *graph, const char *name, int ndim, const int64_t shape[]);
void rti_onnx_graph_output(rti_onnx_graph *graph, const char *name, int ndim, const int64_t shape[]);

/* The whole ModelProto into a file; metadata: key, value, ..., NULL. RT_IO, RT_MEMORY, RT_UNSUPPORTED (2 GiB
 * and more: other readers take no such message). */
rt_status rti_onnx_finish(const rti_onnx_graph *graph, const char *name, const char *const metadata[],
                          const char *path, rt_error *error) RT_MUST_CHECK;

#endif
