/* SPDX-License-Identifier: MIT */
#include "kernel/shell/shell.h"

#include "lib/printk.h"

#include "xen/console.h"

#include "kernel/shell/commands.h"

#define PROMPT    "xenolith> "

#define CTRL(key) ((key) - '@')
#define BELL      CTRL('G')
#define ESCAPE    0x1b
#define DELETE    0x7f

#define MAX_LEN   127

/* The line that is being typed, and the state of an escape sequence: ESC [ parameters letter. */
static struct {
    char text[MAX_LEN + 1];
    size_t len;
    bool overflowed; /* a character did not fit text */
    enum { PLAIN, ESCAPED, SEQUENCE } state;
} line;

static bool echoes(const struct domain *d)
{
    return d->options.shell == SHELL_EDIT;
}

/* Prints the prompt, unless a command has ended the domain. */
static void prompt(const struct domain *d)
{
    if (d->options.shell != SHELL_NONE && d->options.done == DONE_WAIT)
        print(PROMPT);
}

static void empty(void)
{
    line.len = 0;
    line.overflowed = false;
}

/* Runs the line. A line that was too long is not run: its beginning may be another command. */
static void end_line(struct domain *d)
{
    while (line.len && line.text[line.len - 1] == ' ')
        line.len--;
    line.text[line.len] = '\0';
    if (echoes(d))
        print("\n");
    if (line.overflowed)
        printk(
            LOG_ERROR,
            "shell: the input line is too long and was not run: expected at most %u characters\n",
            MAX_LEN);
    else if (line.len)
        command_run(d, line.text);
    empty();
    prompt(d);
}

/* Deletes the last @n characters. A character that did not fit was not echoed. */
static void erase(const struct domain *d, size_t n)
{
    line.overflowed = false;
    for (; n; n--, line.len--)
        if (echoes(d))
            print("\b \b");
}

static void add(const struct domain *d, char c)
{
    if (c < ' ' ||
        c >= DELETE) /* control characters, and (char is signed) bytes that are no ASCII */
        return;
    line.overflowed = line.len == MAX_LEN;
    if (!line.overflowed)
        line.text[line.len++] = c;
    if (echoes(d))
        print("%c", line.overflowed ? BELL : c);
}

/* Handles a byte that is no part of an escape sequence. */
static void take_plain(struct domain *d, char c)
{
    switch (c) {
    case '\r':
    case '\n':
        end_line(d);
        break;
    case '\b':
    case DELETE:
        erase(d, line.len > 0);
        break;
    case CTRL('U'):
        erase(d, line.len);
        break;
    case CTRL('C'):
        empty();
        if (echoes(d))
            print("^C\n" PROMPT);
        break;
    case ESCAPE:
        line.state = ESCAPED;
        break;
    default:
        add(d, c);
    }
}

static bool is_control(char c)
{
    return (c >= 0 && c < ' ') || c == DELETE;
}

/* Handles one byte. A control character ends an escape sequence, and has its usual meaning. */
static void take(struct domain *d, char c)
{
    if (line.state == PLAIN || is_control(c)) {
        line.state = PLAIN;
        take_plain(d, c);
    } else if (line.state == ESCAPED) {
        line.state = c == '[' || c == 'O' ? SEQUENCE : PLAIN;
    } else if (c >= '@' && c <= '~') {
        line.state = PLAIN;
    }
}

void shell_start(struct domain *d)
{
    if (d->options.shell == SHELL_NONE)
        return;
    print("shell: %s of %lu MiB on Xen %u.%u%s; \"help\" prints the commands\n",
          boot_info_is_initdomain(&d->boot) ? "dom0" : "domU",
          d->balloon.nr_pages / ((1 << 20) / PAGE_SIZE), d->host.major, d->host.minor,
          d->host.extra);
    prompt(d);
}

bool shell_poll(struct domain *d)
{
    char bytes[32];
    size_t n = console_read(bytes, sizeof(bytes));

    for (size_t i = 0; i < n; i++)
        take(d, bytes[i]);
    return n > 0;
}
