/* SPDX-License-Identifier: MPL-2.0 */

#include "snekcoil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(const char *what, char *got, const char *wanted)
{
	if (got == NULL || strcmp(got, wanted) != 0) {
		fprintf(stderr, "%s:\nwanted:\n%s\ngot:\n%s\n", what, wanted, got ? got : "(no memory)");
		failures++;
	}
	free(got);
}

int main(void)
{
	expect("no text", snekcoil_wrap("", 10), "");
	expect("one line", snekcoil_wrap("a snake", 10), "a snake\n");
	expect("exactly full", snekcoil_wrap("a b c", 5), "a b c\n");
	expect("too long by one", snekcoil_wrap("a b cd", 5), "a b\ncd\n");
	expect("white space", snekcoil_wrap("  a \t b  ", 10), "a b\n");
	expect("an empty line stays", snekcoil_wrap("a\n\nb", 10), "a\n\nb\n");
	expect("the last newline ends a line", snekcoil_wrap("a\n", 10), "a\n");
	expect("a long word", snekcoil_wrap("hi anaconda", 4), "hi\nanac\nonda\n");
	expect("no width", snekcoil_wrap("ab c", 0), "a\nb\nc\n");
	expect("columns are code points", snekcoil_wrap("äöü ß", 5), "äöü ß\n");
	expect("no code point is broken", snekcoil_wrap("äöü", 2), "äö\nü\n");
	expect("a bubble", snekcoil_bubble("hiss\nß", 10),
	       " .------.\n"
	       "(  hiss  )\n"
	       "(  ß     )\n"
	       " '------'\n");
	if (failures == 0)
		puts("all is well");
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
