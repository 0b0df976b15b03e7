/* SPDX-License-Identifier: MPL-2.0 */

#include "snekcoil.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A string that grows. Once there was no memory, it stays failed. */
struct buffer {
	char *bytes;
	size_t length;
	size_t capacity;
	int failed;
};

static void append(struct buffer *buffer, const char *bytes, size_t count)
{
	if (buffer->failed)
		return;
	if (count >= SIZE_MAX / 2 - buffer->length) {
		buffer->failed = 1;
		return;
	}
	if (buffer->length + count + 1 > buffer->capacity) {
		size_t capacity = 2 * (buffer->length + count + 1);
		char *bigger = realloc(buffer->bytes, capacity);

		if (bigger == NULL) {
			buffer->failed = 1;
			return;
		}
		buffer->bytes = bigger;
		buffer->capacity = capacity;
	}
	memcpy(buffer->bytes + buffer->length, bytes, count);
	buffer->length += count;
	buffer->bytes[buffer->length] = '\0';
}

static void repeat(struct buffer *buffer, char byte, size_t count)
{
	while (count-- > 0)
		append(buffer, &byte, 1);
}

/* The string, now the caller's; NULL when there was no memory for it. */
static char *take(struct buffer *buffer)
{
	append(buffer, "", 0);
	if (buffer->failed) {
		free(buffer->bytes);
		return NULL;
	}
	return buffer->bytes;
}

static int is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The bytes of the first `columns` columns of a word, or of all of it. */
static size_t bytes_of(const char *word, size_t bytes, size_t columns)
{
	size_t end = 0;

	while (end < bytes && columns > 0) {
		end++;
		while (end < bytes && is_continuation(word[end]))
			end++;
		columns--;
	}
	return end;
}

const char *snekcoil_version(void)
{
	return SNEKCOIL_VERSION;
}

size_t snekcoil_columns(const char *text, size_t bytes)
{
	size_t columns = 0;

	for (size_t i = 0; i < bytes; i++)
		columns += !is_continuation(text[i]);
	return columns;
}

/* Wraps one line of the text, which holds no newline. */
static void wrap_line(struct buffer *out, const char *line, size_t bytes, size_t width)
{
	const char *end = line + bytes;
	size_t column = 0;

	for (;;) {
		line += strspn(line, " \t\r");
		if (line >= end)
			break;
		size_t length = strcspn(line, " \t\r\n");
		size_t columns = snekcoil_columns(line, length);

		if (column > 0 && column + 1 + columns > width) {
			append(out, "\n", 1);
			column = 0;
		}
		if (column > 0) {
			append(out, " ", 1);
			column++;
		}
		while (columns > width) {
			size_t part = bytes_of(line, length, width);

			append(out, line, part);
			append(out, "\n", 1);
			line += part;
			length -= part;
			columns -= width;
		}
		append(out, line, length);
		line += length;
		column += columns;
	}
	append(out, "\n", 1);
}

char *snekcoil_wrap(const char *text, size_t width)
{
	struct buffer out = {0};

	if (width == 0)
		width = 1;
	while (*text != '\0') {
		size_t bytes = strcspn(text, "\n");

		wrap_line(&out, text, bytes, width);
		text += bytes;
		text += *text == '\n';
	}
	return take(&out);
}

static size_t widest(const char *lines)
{
	size_t most = 0;

	while (*lines != '\0') {
		size_t bytes = strcspn(lines, "\n");
		size_t columns = snekcoil_columns(lines, bytes);

		if (columns > most)
			most = columns;
		lines += bytes + 1;
	}
	return most;
}

char *snekcoil_bubble(const char *text, size_t width)
{
	struct buffer out = {0};
	char *lines = snekcoil_wrap(text, width);

	if (lines == NULL)
		return NULL;
	size_t inside = widest(lines);

	append(&out, " .", 2);
	repeat(&out, '-', inside + 2);
	append(&out, ".\n", 2);
	for (const char *line = lines; *line != '\0';) {
		size_t bytes = strcspn(line, "\n");

		append(&out, "(  ", 3);
		append(&out, line, bytes);
		repeat(&out, ' ', inside - snekcoil_columns(line, bytes));
		append(&out, "  )\n", 4);
		line += bytes + 1;
	}
	append(&out, " '", 2);
	repeat(&out, '-', inside + 2);
	append(&out, "'\n", 2);
	free(lines);
	return take(&out);
}
