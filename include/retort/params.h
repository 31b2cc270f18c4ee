/* params.h - typed parameters, described by tables.                   Floor 1 (core)
 *
 * One row says everything about one option: name, type, default, range, unit, help. The rows of
 * models, optimisers, methods and data sets feed the spec's validation, `retort help`, sweeps, the
 * canonical text that identifies a trial, and the code that reads the value. An option that is not
 * in a table does not exist.
 *
 *     static const rt_param rows[] = {
 *         RT_PARAM_REAL_ROW("temperature", 4.0, 0.01, 1000.0, "", "softens teacher and student"),
 *     };
 *     rt_params p;
 *     rt_params_init(&p, rows, 1);
 *     double T = rt_params_real(&p, "temperature");
 */
#ifndef RETORT_PARAMS_H
#define RETORT_PARAMS_H

#include "retort/status.h"

#define RT_PARAM_ITEMS_MAX 16  /* entries of a list value */
#define RT_PARAM_TEXT_MAX 256  /* bytes of a text value, with its zero */
#define RT_PARAMS_MAX 64       /* rows of one table */

typedef enum rt_param_type {
    RT_PARAM_REAL,   /* finite number */
    RT_PARAM_INT,    /* whole number, at most 2^53 in size */
    RT_PARAM_BOOL,   /* true or false */
    RT_PARAM_CHOICE, /* one of the words in `choices`, separated by '|' */
    RT_PARAM_TEXT,   /* any text */
    RT_PARAM_INTS,   /* list of whole numbers, each within [min, max]; may be empty */
    RT_PARAM_REALS   /* list of numbers, each within [min, max]; may be empty */
} rt_param_type;

typedef struct rt_param {
    const char *name;    /* dots allowed: "optimizer.momentum" */
    rt_param_type type;
    double fallback;     /* default of REAL, INT and BOOL */
    const char *text;    /* default of CHOICE and TEXT; of lists, e.g. "[1200, 1200]" */
    double min, max;     /* inclusive; of numbers and list entries */
    const char *choices; /* CHOICE only: "sgd|adam" */
    const char *unit;    /* "", "epochs", "pixels" */
    const char *help;    /* one line, no full stop */
} rt_param;

#define RT_PARAM_REAL_ROW(name, fallback, min, max, unit, help) \
    {name, RT_PARAM_REAL, fallback, NULL, min, max, NULL, unit, help}
#define RT_PARAM_INT_ROW(name, fallback, min, max, unit, help) \
    {name, RT_PARAM_INT, fallback, NULL, min, max, NULL, unit, help}
#define RT_PARAM_BOOL_ROW(name, fallback, help) \
    {name, RT_PARAM_BOOL, fallback, NULL, 0, 1, NULL, "", help}
#define RT_PARAM_CHOICE_ROW(name, fallback, choices, help) \
    {name, RT_PARAM_CHOICE, 0, fallback, 0, 0, choices, "", help}
#define RT_PARAM_TEXT_ROW(name, fallback, help) \
    {name, RT_PARAM_TEXT, 0, fallback, 0, 0, NULL, "", help}
#define RT_PARAM_INTS_ROW(name, fallback, min, max, unit, help) \
    {name, RT_PARAM_INTS, 0, fallback, min, max, NULL, unit, help}
#define RT_PARAM_REALS_ROW(name, fallback, min, max, unit, help) \
    {name, RT_PARAM_REALS, 0, fallback, min, max, NULL, unit, help}

typedef struct rt_value {
    rt_param_type type;
    double number;                     /* REAL, INT, BOOL (0 or 1) */
    int count;                         /* lists */
    double items[RT_PARAM_ITEMS_MAX];
    char text[RT_PARAM_TEXT_MAX];      /* CHOICE, TEXT */
} rt_value;

typedef struct rt_params {
    int count;
    const rt_param *rows[RT_PARAMS_MAX]; /* borrowed, static tables */
    rt_value values[RT_PARAMS_MAX];
    bool given[RT_PARAMS_MAX];           /* set by somebody, not the default */
} rt_params;

/* Every value at its default. `rows` must outlive p. More tables can be added after. A name that
 * stands twice, or a default outside its range, is a caller's bug. */
void rt_params_init(rt_params *p, const rt_param *rows, int count);
void rt_params_add(rt_params *p, const rt_param *rows, int count);

int rt_params_find(const rt_params *p, const char *name); /* row number, or -1 */

/* Sets a value after checking type and range. INT accepts a REAL that is whole, REAL accepts INT.
 * Errors: RT_SPEC for an unknown name (the message names the nearest one), a wrong type, a value
 * out of range (the message says the range) or a word that is no choice (it lists them). */
rt_status rt_params_set(rt_params *p, const char *name, const rt_value *value,
                        rt_error *error) RT_MUST_CHECK;

/* The same from text as in a spec: 4.0, true, "sgd", sgd, [30, 30]. */
rt_status rt_params_set_text(rt_params *p, const char *name, const char *text,
                             rt_error *error) RT_MUST_CHECK;

/* Reading. An unknown name or the wrong type is a caller's bug. Text and lists are borrowed. */
double rt_params_real(const rt_params *p, const char *name);
int64_t rt_params_int(const rt_params *p, const char *name);
bool rt_params_bool(const rt_params *p, const char *name);
const char *rt_params_text(const rt_params *p, const char *name); /* CHOICE and TEXT */
const rt_value *rt_params_list(const rt_params *p, const char *name);

/* A value as TOML writes it, shortest text that reads back to the same bits: 0.1, true, "sgd",
 * [30, 30]. Returns the length, as snprintf does. */
int rt_value_format(const rt_value *value, char *buffer, size_t size);

/* The word of `words` that is nearest to `word` by edit distance, or NULL when none is near. */
const char *rt_nearest_word(const char *word, const char *const *words, int count);

#endif
