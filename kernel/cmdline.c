/* SPDX-License-Identifier: MIT */
#include "kernel/cmdline.h"

#include "lib/number.h"
#include "lib/string.h"

#include "xen/watchdog.h"

/* Upper bound of the numbers on the command line: nine decimal digits. */
#define MAX_NUMBER 999999999

bool text_is(struct text w, const char *s)
{
    return strlen(s) == w.len && !strncmp(w.s, s, w.len);
}

/* Index of @w among the words in @choices, which are separated by '|'; -1 if @w is not there. */
static int choose(struct text w, const char *choices)
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

/*
 * The arguments. @values is for the reader of a warning; for a CHOICE it is also parsed, and the
 * words have the order of the enumeration. @field is the offset in struct options.
 */
static const struct argument {
    const char *name, *values;
    enum { CHOICE, TEXT, NUMBER } kind;
    size_t field;
} arguments[] = {
    {"test",          "all|none|NAME,...[,full]",           TEXT,   offsetof(struct options, tests)           },
    {"done",          "reboot|poweroff|crash|wait",         CHOICE, offsetof(struct options, done)            },
    {"loglevel",      "error|warn|info|debug",              CHOICE, offsetof(struct options, loglevel)        },
    {"p2m",           "both|list|tree",                     CHOICE, offsetof(struct options, form)            },
    {"balloon",       "none|max",                           CHOICE, offsetof(struct options, balloon)         },
    {"grants",        "default|1|2",                        CHOICE, offsetof(struct options, grants)          },
    {"pattern_pages", "0 to 999999999",                     NUMBER, offsetof(struct options, pattern_pages)   },
    {"bench",         "NAME",                               TEXT,   offsetof(struct options, bench)           },
    {"seed",          "0 to 999999999",                     NUMBER, offsetof(struct options, seed)            },
    {"watchdog",      "0 to 999999999",                     NUMBER, offsetof(struct options, watchdog_seconds)},
    {"shell",         "none|edit|line",                     CHOICE, offsetof(struct options, shell)           },
    {"inject",        "a fault (kernel/selftest/inject.h)", TEXT,   offsetof(struct options, inject)          },
};

static bool set_text(struct text *field, struct text value)
{
    if (value.len)
        *field = value;
    return value.len > 0;
}

static bool set_number(uint64_t *field, struct text value)
{
    return number_parse(value.s, value.len, MAX_NUMBER, field);
}

/* @field is an enumeration without negative values, which GCC and clang store as unsigned int. */
static bool set_choice(unsigned int *field, struct text value, const char *values)
{
    int choice = choose(value, values);

    if (choice >= 0)
        *field = (unsigned int)choice;
    return choice >= 0;
}

/* Sets the field of @a. False if @value is not a value of @a: then the field is unchanged. */
static bool set_field(struct options *o, const struct argument *a, struct text value)
{
    void *field = (uint8_t *)o + a->field;

    switch (a->kind) {
    case TEXT:
        return set_text(field, value);
    case NUMBER:
        return set_number(field, value);
    default:
        return set_choice(field, value, a->values);
    }
}

static const struct argument *find_argument(struct text name)
{
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        if (text_is(name, arguments[i].name))
            return &arguments[i];
    return NULL;
}

static void report_unknown(struct text w)
{
    printk(LOG_WARN, "kernel argument \"%.*s\" is unknown and ignored: expected one of", (int)w.len,
           w.s);
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        print("%s %s=", i ? "," : "", arguments[i].name);
    print("\n");
}

static void parse_word(struct options *o, struct text w)
{
    struct text name = {w.s, 0}, value = {"", 0};
    const struct argument *a;

    while (name.len < w.len && w.s[name.len] != '=')
        name.len++;
    if (name.len < w.len)
        value = (struct text){w.s + name.len + 1, w.len - name.len - 1};

    a = find_argument(name);
    if (text_is(w, "shell")) /* the only argument whose value may be left out */
        value = (struct text){"edit", 4};
    if (a && set_field(o, a, value))
        return;
    o->nr_bad++;
    if (a)
        printk(LOG_WARN, "kernel argument %s=%.*s is ignored: expected %s\n", a->name,
               (int)value.len, value.s, a->values);
    else
        report_unknown(w);
}

void cmdline_parse(struct options *o, const char *line)
{
    *o = (struct options){
        .tests = {"all", 3},
        .done = DONE_DEFAULT,
        .loglevel = LOG_INFO,
        .watchdog_seconds = WATCHDOG_SECONDS
    };

    while (*line) {
        struct text w = {line, 0};

        while (line[w.len] && line[w.len] != ' ')
            w.len++;
        if (w.len)
            parse_word(o, w);
        line += w.len;
        line += *line == ' ';
    }
}

bool cmdline_next(struct text *list, struct text *word)
{
    if (!list->len)
        return false;
    *word = (struct text){list->s, 0};
    while (word->len < list->len && word->s[word->len] != ',')
        word->len++;
    list->s += word->len;
    list->len -= word->len;
    if (list->len) /* the comma */
        list->s++, list->len--;
    return true;
}

static bool has_word(struct text list, const char *s)
{
    struct text word;

    while (cmdline_next(&list, &word))
        if (text_is(word, s))
            return true;
    return false;
}

bool cmdline_wants_test(const struct options *o, const char *name)
{
    return has_word(o->tests, name) || has_word(o->tests, "all") || text_is(o->tests, "full");
}

bool cmdline_names_test(const struct options *o, const char *name)
{
    return has_word(o->tests, name);
}

bool cmdline_wants_full(const struct options *o)
{
    return has_word(o->tests, "full");
}
