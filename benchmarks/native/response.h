/* A response, as its bytes come in. */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stddef.h>

enum part { HEAD, BODY, SIZE, EXTENSION, DATA, AFTER_DATA, TRAILER };

struct response {
  enum part part;
  int status;
  int closes;    /* the connection ends with it */
  int done;      /* there was an event of [DONE] */
  long first_at; /* when the first byte of the body came, 0 before */
  long left;     /* of the body or the chunk; -1: until the connection ends */
  long size;     /* of the chunk, as far as it was read */
  int matched;   /* how much of [DONE] was seen */
  int line_empty;
  size_t length;
  char head[16384];
};

/* Get ready for a new one. */
void expect(struct response *r);

/* Whether it is complete with these bytes, which came at this time. */
int take(struct response *r, const char *data, size_t n, long at);

/* Whether it may be complete when the connection ends, and only then. */
int ends_with_connection(const struct response *r);

#endif
