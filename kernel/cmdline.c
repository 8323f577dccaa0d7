/* SPDX-License-Identifier: MIT */
#include "kernel/cmdline.h"

#include "lib/string.h"

bool text_is(struct text w, const char *s)
{
    return strlen(s) == w.len && !strncmp(w.s, s, w.len);
}

/* The index of @w among the names in @choices, which are separated by '|'; -1 if it is none. */
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
 * Each argument: its values, in the order of the enumeration that they stand for, or in words if
 * any text will do; and the field of struct options that it sets.
 */
static const struct argument {
    const char *name, *values;
    bool any_text;
    size_t field;
} arguments[] = {
    {"test",     "all|none|NAME,...[,full]",   true,  offsetof(struct options, tests)   },
    {"done",     "reboot|poweroff|crash|wait", false, offsetof(struct options, done)    },
    {"loglevel", "error|warn|info|debug",      false, offsetof(struct options, loglevel)},
    {"p2m",      "both|list|tree",             false, offsetof(struct options, form)    },
    {"balloon",  "none|max",                   false, offsetof(struct options, balloon) },
    {"inject",   "a fault (kernel/inject.h)",  true,  offsetof(struct options, inject)  },
};

/* Sets the field of @a; false if @value is none of its values. */
static bool set_field(struct options *o, const struct argument *a, struct text value)
{
    void *field = (uint8_t *)o + a->field;
    int choice;

    if (a->any_text) {
        if (value.len)
            *(struct text *)field = value;
        return value.len > 0;
    }
    choice = choose(value, a->values);
    if (choice >= 0)
        *(unsigned int *)field = (unsigned int)choice; /* what an enumeration is */
    return choice >= 0;
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
    print("argument \"%.*s\" is not known: expected", (int)w.len, w.s);
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
    if (a && set_field(o, a, value))
        return;
    o->nr_bad++;
    if (a)
        print("argument %s=%.*s: expected %s\n", a->name, (int)value.len, value.s, a->values);
    else
        report_unknown(w);
}

void cmdline_parse(struct options *o, const char *line)
{
    *o = (struct options){
        .tests = {"all", 3},
          .done = DONE_DEFAULT, .loglevel = LOG_INFO
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

bool cmdline_wants_full(const struct options *o)
{
    return has_word(o->tests, "full");
}
