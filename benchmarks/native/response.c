#define _GNU_SOURCE
#include "response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char DONE[] = "\ndata: [DONE]";

void expect(struct response *r) {
  memset(r, 0, offsetof(struct response, head));
  r->left = -1;
  r->matched = 1; /* it begins as if after a line's end */
}

int ends_with_connection(const struct response *r) {
  return r->part == BODY && r->left < 0;
}

/* How many of these bytes belong to the head; all, if it is not complete. */
static size_t take_head(struct response *r, const char *data, size_t n) {
  size_t before = r->length, room = sizeof r->head - 1 - before;
  char *end, *line;
  memcpy(r->head + before, data, n < room ? n : room);
  r->length += n < room ? n : room;
  end = memmem(r->head, r->length, "\r\n\r\n", 4);
  if (!end) {
    if (n >= room) {
      fprintf(stderr, "load: headers too long\n");
      exit(1);
    }
    return n;
  }
  *end = 0;
  r->part = BODY;
  r->status = atoi(r->head + 9);
  for (line = r->head; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (!strncasecmp(line, "content-length:", 15))
      r->left = atol(line + 15);
    else if (!strncasecmp(line, "transfer-encoding: chunked", 26))
      r->part = SIZE;
    else if (!strncasecmp(line, "connection: close", 17))
      r->closes = 1;
  }
  return end - r->head + 4 - before;
}

static void take_content(struct response *r, const char *data, size_t n, long at) {
  if (n && !r->first_at)
    r->first_at = at;
  for (size_t i = 0; i < n; i++) {
    if (data[i] == DONE[r->matched])
      r->matched++;
    else
      r->matched = data[i] == '\n';
    if (r->matched == sizeof DONE - 1) {
      r->done = 1;
      r->matched = 0;
    }
  }
}

static int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  digit |= 32;
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Whether a byte between the chunks is the last. */
static int take_frame(struct response *r, char byte) {
  if (r->part == TRAILER) {
    if (byte == '\n' && r->line_empty)
      return 1;
    if (byte != '\r')
      r->line_empty = byte == '\n';
  } else if (byte == '\n') {
    int after_data = r->part == AFTER_DATA;
    r->part = after_data ? SIZE : r->size ? DATA : TRAILER;
    r->left = r->size;
    r->size = 0;
    r->line_empty = 1;
  } else if (r->part == SIZE && byte == ';')
    r->part = EXTENSION;
  else if (r->part == SIZE && hexadecimal(byte) >= 0)
    r->size = r->size * 16 + hexadecimal(byte);
  return 0;
}

int take(struct response *r, const char *data, size_t n, long at) {
  size_t i = r->part == HEAD ? take_head(r, data, n) : 0;
  if (r->part == HEAD)
    return 0;
  if (r->part == BODY) {
    take_content(r, data + i, n - i, at);
    if (r->left < 0)
      return 0;
    r->left -= n - i;
    return r->left <= 0;
  }
  while (i < n) {
    if (r->part == DATA) {
      size_t piece = n - i < (size_t)r->left ? n - i : (size_t)r->left;
      take_content(r, data + i, piece, at);
      i += piece;
      r->left -= piece;
      if (!r->left)
        r->part = AFTER_DATA;
    } else if (take_frame(r, data[i++]))
      return 1;
  }
  return 0;
}
