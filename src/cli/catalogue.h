/* catalogue.h - everything that has a name, for list and help.         Floor 9 (cli)
 *
 * A shelf is a kind of thing (methods, optimisers, ops, ...). What stands on it comes from the
 * generated registries, so something new appears in list and in help by itself. */
#ifndef RTI_CATALOGUE_H
#define RTI_CATALOGUE_H

#include "retort/params.h"

typedef struct rti_shelf {
    const char *name;               /* "methods", as in `retort list methods` */
    const char *one;                /* "method" */
    int (*count)(void);
    const char *(*item)(int i);     /* its name */
    const char *(*line)(int i);     /* one line about it; "" when there is nothing to say */
    void (*print)(int i);           /* all about it, to standard output; NULL: line and options are all */
    const rt_param *(*rows)(int i, int *count); /* its options; NULL: it has none */
} rti_shelf;

extern const rti_shelf rti_shelves[]; /* ends with a shelf without a name */

/* Option rows as a table; nothing for count 0. */
void rti_print_rows(const rt_param *rows, int count);

#endif
