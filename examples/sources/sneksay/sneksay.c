/* SPDX-License-Identifier: MPL-2.0 */

#include <snekcoil.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More text than anyone wants a snake to say, in bytes. */
#define MOST_TEXT (1 << 20)

static const char snake[] =
	"     \\\n"
	"      \\    .---.\n"
	"       \\  ( o o )\n"
	"           \\ _ /---<\n"
	"     .------' /\n"
	"    (  .-----'\n"
	"     \\  '--------.\n"
	"      '--------.  )\n"
	"  ~~~---------'--'\n";

static const char usage[] =
	"Usage: sneksay [-w WIDTH] [TEXT...]\n"
	"A snake says the text, or its standard input when there is none.\n"
	"\n"
	"  -w WIDTH  break lines after this many columns (default: 40)\n"
	"  -V        print the versions and exit\n"
	"  -h        print this help and exit\n";

static int fail(const char *what)
{
	fprintf(stderr, "sneksay: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

/* The words as one line; NULL when there is no memory. */
static char *join(char **words, int count)
{
	size_t length = 1;

	for (int i = 0; i < count; i++)
		length += strlen(words[i]) + 1;
	char *text = malloc(length);

	if (text == NULL)
		return NULL;
	char *end = text;

	for (int i = 0; i < count; i++) {
		size_t bytes = strlen(words[i]);

		if (i > 0)
			*end++ = ' ';
		memcpy(end, words[i], bytes);
		end += bytes;
	}
	*end = '\0';
	return text;
}

/* The standard input; NULL when it cannot be read. */
static char *read_input(void)
{
	char *text = malloc(MOST_TEXT + 1);

	if (text == NULL)
		return NULL;
	size_t length = fread(text, 1, MOST_TEXT, stdin);

	if (ferror(stdin)) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

static int say(const char *text, size_t width)
{
	char *bubble = snekcoil_bubble(text, width);

	if (bubble == NULL)
		return fail("cannot draw the bubble");
	fputs(bubble, stdout);
	fputs(snake, stdout);
	free(bubble);
	if (fflush(stdout) != 0)
		return fail("cannot write");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	unsigned long width = 40;
	char *end;
	int option;

	while ((option = getopt(argc, argv, "w:Vh")) != -1) {
		switch (option) {
		case 'w':
			width = strtoul(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || width == 0 || width > 1000) {
				fputs("sneksay: the width is a number from 1 to 1000\n", stderr);
				return EXIT_FAILURE;
			}
			break;
		case 'V':
			printf("sneksay %s, snekcoil %s\n", VERSION, snekcoil_version());
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	char *text = optind < argc ? join(argv + optind, argc - optind) : read_input();

	if (text == NULL)
		return fail("cannot read the text");
	int status = say(text, width);

	free(text);
	return status;
}
