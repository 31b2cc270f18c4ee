/* processors.h - where a thread runs.                                  Floor 1 (core) */
#ifndef RTI_PROCESSORS_H
#define RTI_PROCESSORS_H

/* The processor that the calling thread runs on at this moment; -1: unknown here. */
int rti_processor_now(void);

/* Puts the calling thread on another one of the processors it may use, and leaves it free after that.
 * Nothing happens when there is no other. */
void rti_processor_leave(int processor);

#endif
