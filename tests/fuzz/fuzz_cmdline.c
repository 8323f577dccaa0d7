/* SPDX-License-Identifier: MIT */
/*
 * kernel/cmdline.c: any line leaves options that are within their bounds, reads nothing past its
 * end, and counts as bad just the words that set nothing.
 *
 *      input   the line, up to its end or its first 0
 */
#include "tests/fuzz/fuzz.h"

#include "kernel/cmdline.h"

#include <string.h>

#define MAX_LINE 1024 /* as start_info has it */

static char buffer[MAX_LINE];

static bool is_in(struct text t, const char *line, size_t len)
{
    return t.s >= line && t.len <= len && (size_t)(t.s - line) <= len - t.len;
}

static void check_text(struct text t, const char *fallback, const char *line, size_t len)
{
    if (fallback && t.len == strlen(fallback) && !memcmp(t.s, fallback, t.len))
        return;
    CHECK(is_in(t, line, len) || (!fallback && !t.s && !t.len), "a piece of the line");
    CHECK(!memchr(t.s ? t.s : "", ' ', t.len), "no blank in a value");
}

/* The words and the commas between them are the list. */
static void check_list(struct text list)
{
    struct text rest = list, word;
    size_t commas = 0, letters = 0, nr = 0;

    for (size_t i = 0; i < list.len; i++)
        commas += list.s[i] == ',';
    while (cmdline_next(&rest, &word)) {
        CHECK(is_in(word, list.s, list.len), "a word of the list");
        CHECK(!memchr(word.s, ',', word.len), "no comma in a word");
        letters += word.len;
        CHECK(++nr <= commas + 1, "an end of the list");
    }
    CHECK(letters == list.len - commas, "all words of the list");
}

static size_t count_words(const char *line)
{
    size_t nr = 0;

    for (; *line; line++)
        nr += *line != ' ' && (line[1] == ' ' || !line[1]);
    return nr;
}

/* The last word of the line that sets a choice or a number is what counts. */
static void check_last(const char *line, const char *word, bool is_set)
{
    const char *at = strrchr(line, ' ');

    CHECK(strcmp(at ? at + 1 : line, word) || is_set, "the last word is heeded");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    size_t len = min_u64(end ? (size_t)(end - data) : size, MAX_LINE - 1);
    char *line = buffer + MAX_LINE - 1 - len; /* behind its 0 the memory is poisoned */
    struct options o;

    if (len)
        memcpy(line, data, len);
    cmdline_parse(&o, line);

    CHECK(!memcmp(line, data, len) && !line[len], "the line is as it was");
    CHECK(o.done <= DONE_DEFAULT && o.loglevel <= LOG_DEBUG && o.form <= PUBLISH_TREE &&
              o.balloon <= BALLOON_MAX,
          "choices that there are");
    CHECK(o.pattern_pages <= 999999999 && o.seed <= 999999999, "numbers of nine digits");
    CHECK(o.nr_bad <= count_words(line), "no more bad words than words");
    check_text(o.tests, "all", line, len);
    check_text(o.inject, NULL, line, len);
    check_list(o.tests);
    check_list(o.inject);
    check_last(line, "done=wait", o.done == DONE_WAIT);
    check_last(line, "loglevel=debug", o.loglevel == LOG_DEBUG);
    check_last(line, "p2m=tree", o.form == PUBLISH_TREE);
    check_last(line, "balloon=max", o.balloon == BALLOON_MAX);
    check_last(line, "pattern_pages=123456789", o.pattern_pages == 123456789);
    check_last(line, "test=none", text_is(o.tests, "none") && !cmdline_wants_test(&o, "p2m"));
    (void)cmdline_wants_test(&o, "p2m");
    (void)cmdline_wants_full(&o);
    return 0;
}
