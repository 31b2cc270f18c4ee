/* spec.h - what spec.c and resolve.c know of each other.               Floor 8 (experiment) */
#ifndef RTI_SPEC_H
#define RTI_SPEC_H

#include "experiment/experiment.h"

/* A key as it was written, before anybody knows which row it belongs to: numbers are INT or REAL,
 * words TEXT, lists INTS or REALS. */
typedef struct rti_spec_entry {
    char key[RTI_KEY_MAX];   /* "student.optimizer.lr" */
    rt_value value;
    int line;                /* 0: from the command line */
} rti_spec_entry;

typedef struct rti_spec_entries {
    int count, capacity;
    rti_spec_entry *items;
    int axis_line[RTI_AXES_MAX];
} rti_spec_entries;

#define RTI_WHERE_MAX (RTI_KEY_MAX + 4200)

/* "demo.toml:12", or "--set student.epochs" when line is 0. Returns out. */
const char *rti_spec_where(const rti_spec *spec, const char *key, int line, char out[RTI_WHERE_MAX]);

/* The number of the axis with that key, or -1. */
int rti_spec_axis(const rti_spec *spec, const char *key);

/* The value that stands at "section.name" in *settings, or NULL when these settings have no such row. */
const rt_value *rti_settings_value(const rti_settings *settings, const char *key);

/* Makes *settings those of the student that learns from the labels alone. */
void rti_settings_labels_only(rti_settings *settings);

/* "set = "digits"" and so on, one row per line, sorted by name, without the rows named in `skip`
 * (NULL-terminated; may be NULL) and without empty texts. */
void rti_params_append(rti_text *out, const rt_params *p, const char *const skip[]);

#endif
