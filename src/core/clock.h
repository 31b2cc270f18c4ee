/* clock.h - seconds, for measuring.                                    Floor 1 (core) */
#ifndef RTI_CLOCK_H
#define RTI_CLOCK_H

/* Seconds on a clock that never goes back; only differences mean something. */
double rti_clock_s(void);

/* Seconds since 1970, for people and for the age of files. */
double rti_wall_clock_s(void);

/* The largest amount of memory this process has had resident, in bytes of 10^6. */
double rti_peak_megabytes(void);

#endif
