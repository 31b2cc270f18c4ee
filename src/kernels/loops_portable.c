/* loops_portable.c - the element-by-element kernels in portable C.     Floor 2 (kernels) */
#define LOOPS_TABLE rti_loops_portable
#include "kernels/loops_body.h"
