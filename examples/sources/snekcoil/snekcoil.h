/* SPDX-License-Identifier: MPL-2.0 */

/*
 * snekcoil: text in lines, and lines in a bubble.
 *
 * All text is UTF-8; every code point counts as one column. The strings that
 * functions return belong to the caller, who frees them with free(3). NULL
 * means that there was no memory.
 */

#ifndef SNEKCOIL_H
#define SNEKCOIL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEKCOIL_VERSION "1.0.0"

/* The version of the library that the program runs with. */
const char *snekcoil_version(void);

/* How many columns the first `bytes` bytes of `text` take. */
size_t snekcoil_columns(const char *text, size_t bytes);

/*
 * Breaks `text` at white space into lines of at most `width` columns, each
 * ended by a newline. A word that is longer is broken; a width of 0 counts as
 * 1. Empty lines of the text stay.
 */
char *snekcoil_wrap(const char *text, size_t width);

/* As snekcoil_wrap, with a frame around the lines that is as wide as they are. */
char *snekcoil_bubble(const char *text, size_t width);

#ifdef __cplusplus
}
#endif

#endif
