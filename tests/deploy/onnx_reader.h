/* onnx_reader.h - ONNX files read and run by something that knows nothing of retort: the messages of
 * onnx.proto by their field numbers, the operators in plain loops in double over (N, C, H, W). Whatever the
 * format does not allow, or this does not know, fails the test. */
#ifndef TEST_ONNX_READER_H
#define TEST_ONNX_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ONNX_NAME = 96, ONNX_DIMS = 6, ONNX_NODES = 256, ONNX_ARRAYS = 512 };

typedef struct onnx_array { /* an initialiser, or a value while the graph runs */
    char name[ONNX_NAME];
    int ndim;
    int64_t shape[ONNX_DIMS], count;
    bool whole;             /* int64 */
    int readers;            /* nodes that read it */
    double *numbers;
} onnx_array;

typedef struct onnx_attribute {
    char name[32];
    int64_t type, i, ints[8];
    int ints_count;
    double f;
    bool has_i, has_f;
} onnx_attribute;

typedef struct onnx_node {
    char op[32], name[ONNX_NAME], in[8][ONNX_NAME], out[ONNX_NAME];
    int in_count, attribute_count;
    onnx_attribute attributes[8];
} onnx_node;

typedef struct onnx_end { /* an input or output of the graph */
    char name[ONNX_NAME], batch[16];
    int64_t type, dims[ONNX_DIMS]; /* dims behind N */
    int ndim;
} onnx_end;

typedef struct onnx_model {
    int64_t ir_version, opset;
    char producer[32], version[32], graph[64], fingerprint[64], summary[512];
    int node_count, array_count, inputs, outputs;
    onnx_node nodes[ONNX_NODES];
    onnx_array arrays[ONNX_ARRAYS]; /* the initialisers */
    onnx_end input, output;
} onnx_model;

void onnx_read(onnx_model *model, const char *path);
void onnx_free(onnx_model *model);
const onnx_attribute *onnx_find(const onnx_node *node, const char *name); /* NULL: not there */

/* x (n, the input's dims) -> the output's numbers; the caller frees. *columns: numbers in a row. */
double *onnx_run(const onnx_model *model, int64_t n, const double *x, int64_t *columns);

#endif
