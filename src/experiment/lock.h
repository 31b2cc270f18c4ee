/* lock.h - who works on a trial.                                       Floor 8 (experiment)
 *
 * A claim is a file `lock` in the trial's directory, created exclusively, that says host, process
 * and since when; its modification time is the heartbeat. So several programs, on several machines
 * that share a file system, need no server.
 *
 * A claim is stale when its process is gone (same host) or when the heartbeat is older than
 * RTI_LOCK_STALE_S (any host). Taking over a claim that only seemed stale is waste, not damage:
 * results are deterministic and every file is renamed into place whole. */
#ifndef RTI_LOCK_H
#define RTI_LOCK_H

#include "retort/status.h"

#define RTI_LOCK_STALE_S 60.0
#define RTI_LOCK_BEAT_S 10

typedef struct rti_lock {
    char path[4096];
    int descriptor; /* -1: not held */
    uint64_t device, inode;
} rti_lock;

typedef struct rti_lock_owner {
    bool held;      /* somebody has it and is not known to be gone */
    char host[256]; /* "" when the file could not be understood */
    int64_t pid;
    double since_s; /* seconds it is held; negative when unknown */
    double beat_s;  /* seconds since the last heartbeat */
} rti_lock_owner;

/* Claims the trial in `directory`, breaking a stale claim. RT_BUSY: somebody else has it (the message
 * says who); RT_IO. On success the lock must be released. */
rt_status rti_lock_take(rti_lock *lock, const char *directory, rt_error *error) RT_MUST_CHECK;

/* The heartbeat. May be called from a signal handler. */
void rti_lock_beat(const rti_lock *lock);

/* Removes the file if it is still ours. */
void rti_lock_release(rti_lock *lock);

/* Looks without touching. */
void rti_lock_look(const char *directory, rti_lock_owner *owner);

#endif
