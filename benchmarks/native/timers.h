/* What is due at some time: a heap of it. */
#ifndef TIMERS_H
#define TIMERS_H

enum { NOT_DUE = -1 };

struct timer {
  long due;
  int place; /* in the heap, or NOT_DUE */
};

/* Have it due; it was not before. */
void schedule(struct timer *timer, long due);

/* Have it due no longer. */
void unschedule(struct timer *timer);

/* What is due first, or null. */
struct timer *earliest(void);

#endif
