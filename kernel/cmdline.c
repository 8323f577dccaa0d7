/* SPDX-License-Identifier: MIT */
#include "kernel/cmdline.h"

#include "lib/string.h"

/* A piece of the line. */
struct word {
    const char *s;
    size_t len;
};

static bool word_is(struct word w, const char *s)
{
    return strlen(s) == w.len && !strncmp(w.s, s, w.len);
}

/* The index of @w among the names in @choices, which are separated by '|'; -1 if it is none. */
static int choose(struct word w, const char *choices)
{
    for (int i = 0;; i++) {
        const char *end = strchr(choices, '|');
        size_t len = end ? (size_t)(end - choices) : strlen(choices);

        if (len == w.len && !strncmp(choices, w.s, len))
            return i;
        if (!end)
            return -1;
        choices = end + 1;
    }
}

static void set_done(struct options *o, int i)
{
    o->done = (enum done)i;
}

static void set_loglevel(struct options *o, int i)
{
    o->loglevel = (enum loglevel)i;
}

static void set_form(struct options *o, int i)
{
    o->form = (enum publish_form)i;
}

static void set_balloon(struct options *o, int i)
{
    o->balloon_max = i == 1;
}

/* Arguments that choose one of a few words, in the order of the enumeration each sets. */
static const struct {
    const char *name, *choices;
    void (*set)(struct options *o, int choice);
} arguments[] = {
    {"done",     "reboot|poweroff|crash|wait", set_done    },
    {"loglevel", "error|warn|info|debug",      set_loglevel},
    {"p2m",      "both|list|tree",             set_form    },
    {"balloon",  "none|max",                   set_balloon },
};

static void parse_word(struct options *o, struct word w)
{
    struct word name = {w.s, 0}, value = {"", 0};

    while (name.len < w.len && w.s[name.len] != '=')
        name.len++;
    if (name.len < w.len)
        value = (struct word){w.s + name.len + 1, w.len - name.len - 1};

    if (word_is(name, "test") && value.len) {
        o->tests = value.s;
        o->tests_len = value.len;
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        int choice = choose(value, arguments[i].choices);

        if (!word_is(name, arguments[i].name))
            continue;
        if (choice >= 0) {
            arguments[i].set(o, choice);
            return;
        }
        print("argument %s=%.*s: expected %s\n", arguments[i].name, (int)value.len, value.s,
              arguments[i].choices);
        o->nr_bad++;
        return;
    }
    print("argument \"%.*s\" is not known: expected test=, done=, loglevel=, p2m= or balloon=\n",
          (int)w.len, w.s);
    o->nr_bad++;
}

void cmdline_parse(struct options *o, const char *line)
{
    *o = (struct options){.tests = "all", .tests_len = 3, .loglevel = LOG_INFO};

    while (*line) {
        struct word w = {line, 0};

        while (line[w.len] && line[w.len] != ' ')
            w.len++;
        if (w.len)
            parse_word(o, w);
        line += w.len;
        line += *line == ' ';
    }
}

bool cmdline_wants_test(const struct options *o, const char *name)
{
    struct word rest = {o->tests, o->tests_len};

    if (word_is(rest, "all"))
        return true;
    while (rest.len) {
        struct word w = {rest.s, 0};

        while (w.len < rest.len && w.s[w.len] != ',')
            w.len++;
        if (word_is(w, name))
            return true;
        w.len += w.len < rest.len; /* the comma */
        rest = (struct word){rest.s + w.len, rest.len - w.len};
    }
    return false;
}
