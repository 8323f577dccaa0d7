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

static bool parse_test(struct options *o, struct word value, int choice)
{
    (void)choice;
    o->tests = value.s;
    o->tests_len = value.len;
    return value.len > 0;
}

static bool parse_done(struct options *o, struct word value, int choice)
{
    (void)value;
    o->done = (enum done)choice;
    return choice >= 0;
}

static bool parse_loglevel(struct options *o, struct word value, int choice)
{
    (void)value;
    o->loglevel = (enum loglevel)choice;
    return choice >= 0;
}

static bool parse_form(struct options *o, struct word value, int choice)
{
    (void)value;
    o->form = (enum publish_form)choice;
    return choice >= 0;
}

static bool parse_balloon(struct options *o, struct word value, int choice)
{
    (void)value;
    o->balloon_max = choice == 1;
    return choice >= 0;
}

/* Carried out long before this line is read: see inject.c, which refuses what it does not know. */
static bool parse_inject(struct options *o, struct word value, int choice)
{
    (void)o, (void)choice;
    return value.len > 0;
}

/* Each argument; its values in the order of the enumeration that it sets. */
static const struct argument {
    const char *name, *values;
    bool (*parse)(struct options *o, struct word value, int choice);
} arguments[] = {
    {"test",     "all|none|NAME,...",          parse_test    },
    {"done",     "reboot|poweroff|crash|wait", parse_done    },
    {"loglevel", "error|warn|info|debug",      parse_loglevel},
    {"p2m",      "both|list|tree",             parse_form    },
    {"balloon",  "none|max",                   parse_balloon },
    {"inject",   "a fault (kernel/inject.h)",  parse_inject  },
};

static const struct argument *find_argument(struct word name)
{
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        if (word_is(name, arguments[i].name))
            return &arguments[i];
    return NULL;
}

static void report_unknown(struct word w)
{
    print("argument \"%.*s\" is not known: expected", (int)w.len, w.s);
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        print("%s %s=", i ? "," : "", arguments[i].name);
    print("\n");
}

static void parse_word(struct options *o, struct word w)
{
    struct word name = {w.s, 0}, value = {"", 0};
    const struct argument *a;
    struct options before = *o;

    while (name.len < w.len && w.s[name.len] != '=')
        name.len++;
    if (name.len < w.len)
        value = (struct word){w.s + name.len + 1, w.len - name.len - 1};

    a = find_argument(name);
    if (a && a->parse(o, value, choose(value, a->values)))
        return;
    *o = before;
    o->nr_bad++;
    if (a)
        print("argument %s=%.*s: expected %s\n", a->name, (int)value.len, value.s, a->values);
    else
        report_unknown(w);
}

void cmdline_parse(struct options *o, const char *line)
{
    *o = (struct options){
        .tests = "all", .tests_len = 3, .done = DONE_DEFAULT, .loglevel = LOG_INFO};

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
