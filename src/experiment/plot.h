/* plot.h - what the files that draw pictures share.                    Floor 8 (experiment) */
#ifndef RTI_PLOT_H
#define RTI_PLOT_H

#include "experiment/league.h"

/* ---- gnuplot.c: lines of a file of settings ---- */
void rti_set_text(rti_text *text, const char *name, const char *value);
void rti_set_number(rti_text *text, const char *name, double value); /* NaN when it is not finite */
/* array[item] = '...' or a number */
void rti_set_item(rti_text *text, const char *array, int item, const char *value);
void rti_set_item_number(rti_text *text, const char *array, int item, double value);
/* name = 'runs/demo/temperature-hidden-30-30.csv' */
void rti_set_path(rti_text *text, const rti_plan *plan, const char *name, const char *stem, int facet,
                  const char *ending);
void rti_set_title(rti_text *text, const rti_summary *summary, int facet); /* experiment, seeds */
void rti_set_whole_title(rti_text *text, const rti_summary *summary);       /* of all facets together */

bool rti_find_scripts(const char *program, char out[RTI_PATH_MAX]);
/* The first trouble is kept. */
void rti_picture_trouble(rti_pictures *pictures, const char *what, const char *why);
/* Writes the settings and starts gnuplot; a picture that cannot be drawn is trouble, not an error. */
rt_status rti_draw(const rti_plan *plan, const char *scripts, const char *stem, int facet, rti_text *settings,
                   rti_pictures *pictures, bool *drawn, rt_error *error) RT_MUST_CHECK;
/* The same for a command that has one picture of the whole: finds gnuplot and the scripts. trouble: why there
 * is none, "" when there is. */
rt_status rti_draw_alone(const rti_plan *plan, const char *program, const char *stem, rti_text *settings,
                         bool *drawn, char trouble[512], rt_error *error) RT_MUST_CHECK;

/* ---- plot_league.c ---- */
rt_status rti_plot_league(const rti_summary *summary, const char *scripts, bool has_attention,
                          rti_pictures *pictures, rt_error *error) RT_MUST_CHECK;

#endif
