/* SPDX-License-Identifier: MIT */
/*
 * kernel/cmdline.c: for any command line the options are within their bounds, nothing is read past
 * the end of the line, and only words that set no option count as bad.
 *
 *      input   the command line, up to the end of the input or the first 0
 */
#include "tests/fuzz/fuzz.h"

#include "kernel/cmdline.h"

#include <string.h>

#define MAX_LINE 1024 /* MAX_GUEST_CMDLINE of start_info */

static char buffer[MAX_LINE];

static bool is_in(struct text t, const char *line, size_t len)
{
    return t.s >= line && t.len <= len && (size_t)(t.s - line) <= len - t.len;
}

static void check_text(struct text t, const char *fallback, const char *line, size_t len)
{
    if (fallback && t.len == strlen(fallback) && !memcmp(t.s, fallback, t.len))
        return;
    CHECK(is_in(t, line, len) || (!fallback && !t.s && !t.len),
          "the value of test= or inject= points into the command line");
    CHECK(!memchr(t.s ? t.s : "", ' ', t.len), "the value of test= or inject= has no blank");
}

/* The words of cmdline_next() and the commas between them are the whole list. */
static void check_list(struct text list)
{
    struct text rest = list, word;
    size_t commas = 0, letters = 0, nr = 0;

    for (size_t i = 0; i < list.len; i++)
        commas += list.s[i] == ',';
    while (cmdline_next(&rest, &word)) {
        CHECK(is_in(word, list.s, list.len), "cmdline_next returns a word inside the list");
        CHECK(!memchr(word.s, ',', word.len), "cmdline_next returns a word without a comma");
        letters += word.len;
        CHECK(++nr <= commas + 1,
              "cmdline_next returns at most one word more than the list has commas");
    }
    CHECK(letters == list.len - commas, "cmdline_next returns all letters of the list");
}

static size_t count_words(const char *line)
{
    size_t nr = 0;

    for (; *line; line++)
        nr += *line != ' ' && (line[1] == ' ' || !line[1]);
    return nr;
}

/* Of several words that set one option, the last word of the command line counts. */
static void check_last(const char *line, const char *word, bool is_set)
{
    const char *at = strrchr(line, ' ');

    CHECK(strcmp(at ? at + 1 : line, word) || is_set,
          "the last word of the command line sets its option");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    size_t len = min_u64(end ? (size_t)(end - data) : size, MAX_LINE - 1);
    char *line = buffer + MAX_LINE - 1 - len; /* ASan poisons the memory after its 0 */
    struct options o;

    if (len)
        memcpy(line, data, len);
    cmdline_parse(&o, line);

    CHECK(!memcmp(line, data, len) && !line[len], "cmdline_parse does not change the command line");
    CHECK(o.done <= DONE_DEFAULT && o.loglevel <= LOG_DEBUG && o.form <= PUBLISH_TREE &&
              o.balloon <= BALLOON_MAX,
          "done, loglevel, p2m and balloon have values of their enums");
    CHECK(o.pattern_pages <= 999999999 && o.seed <= 999999999,
          "pattern_pages and seed are at most 999999999");
    CHECK(o.nr_bad <= count_words(line), "nr_bad is at most the number of words");
    check_text(o.tests, "all", line, len);
    check_text(o.inject, NULL, line, len);
    check_text(o.bench, NULL, line, len);
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
