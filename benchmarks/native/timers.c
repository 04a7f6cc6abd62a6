#include "timers.h"

#include <stdio.h>
#include <stdlib.h>

static struct timer **heap;
static int size, capacity;

static void swap(int a, int b) {
  struct timer *kept = heap[a];
  heap[a] = heap[b];
  heap[b] = kept;
  heap[a]->place = a;
  heap[b]->place = b;
}

static void sift(int place) {
  while (place && heap[(place - 1) / 2]->due > heap[place]->due) {
    swap(place, (place - 1) / 2);
    place = (place - 1) / 2;
  }
  for (;;) {
    int least = place;
    for (int child = 2 * place + 1; child <= 2 * place + 2; child++)
      if (child < size && heap[child]->due < heap[least]->due)
        least = child;
    if (least == place)
      return;
    swap(least, place);
    place = least;
  }
}

void schedule(struct timer *timer, long due) {
  if (size == capacity) {
    capacity = capacity ? 2 * capacity : 1024;
    heap = realloc(heap, capacity * sizeof *heap);
    if (!heap) {
      fprintf(stderr, "provider: no memory\n");
      exit(1);
    }
  }
  timer->due = due;
  timer->place = size;
  heap[size++] = timer;
  sift(timer->place);
}

void unschedule(struct timer *timer) {
  int place = timer->place;
  if (place == NOT_DUE)
    return;
  timer->place = NOT_DUE;
  if (place == --size)
    return;
  heap[place] = heap[size];
  heap[place]->place = place;
  sift(place);
}

struct timer *earliest(void) { return size ? heap[0] : 0; }
