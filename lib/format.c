/* SPDX-License-Identifier: MIT */
#include "lib/format.h"

#include "lib/string.h"

/* The output. len keeps counting past size, so that the caller learns the length of the text. */
struct out {
    char *buf;
    size_t size, len;
};

/* One parsed conversion specification. */
struct spec {
    bool left, zero;
    size_t width, precision;
    bool wide; /* l or z: 64 bits */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    size_t pad = s->width > len ? s->width - len : 0;

    for (size_t i = 0; !s->left && i < pad; i++)
        put(o, s->zero ? '0' : ' ');
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    for (size_t i = 0; s->left && i < pad; i++)
        put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned int base, bool neg)
{
    char digits[20]; /* 2^64 has 20 decimal digits */
    struct spec rest = *s;
    size_t n = sizeof(digits);

    do {
        digits[--n] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);

    if (neg && s->zero)
        put(o, '-'), rest.width -= rest.width > 0;
    else if (neg)
        digits[--n] = '-';
    put_padded(o, &rest, digits + n, sizeof(digits) - n);
}

/* Parses what stands between '%' and the conversion letter; returns the letter's address. */
static const char *parse_spec(struct spec *s, const char *f, va_list *args)
{
    *s = (struct spec){.precision = SIZE_MAX};

    for (; *f == '0' || *f == '-'; f++)
        if (*f == '0')
            s->zero = true;
        else
            s->left = true;
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (size_t)(*f - '0');
    if (*f == '.') {
        s->precision = 0;
        if (*++f == '*')
            s->precision = (size_t)va_arg(*args, int), f++;
        for (; *f >= '0' && *f <= '9'; f++)
            s->precision = s->precision * 10 + (size_t)(*f - '0');
    }
    for (; *f == 'l' || *f == 'z'; f++)
        s->wide = true;
    if (s->left)
        s->zero = false;
    return f;
}

static void put_signed(struct out *o, const struct spec *s, int64_t v)
{
    put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
}

/* Prints one conversion; false if the letter is not supported. */
static bool put_conversion(struct out *o, const struct spec *s, char letter, va_list *args)
{
    const char *text;
    char c;

    switch (letter) {
    case 'd':
        put_signed(o, s, s->wide ? va_arg(*args, int64_t) : va_arg(*args, int));
        return true;
    case 'u':
    case 'x':
        put_number(o, s, s->wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int),
                   letter == 'u' ? 10 : 16, false);
        return true;
    case 'p':
        put(o, '0'), put(o, 'x');
        put_number(o, s, (uintptr_t)va_arg(*args, void *), 16, false);
        return true;
    case 'c':
        c = (char)va_arg(*args, int);
        put_padded(o, s, &c, 1);
        return true;
    case 's':
        text = va_arg(*args, const char *);
        text = text ? text : "(null)";
        put_padded(o, s, text, strnlen(text, s->precision));
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

size_t format_v(char *buf, size_t size_bytes, const char *fmt, va_list list)
{
    struct out o = {.buf = buf, .size = size_bytes};
    va_list args;

    va_copy(args, list);
    while (*fmt) {
        const char *start = fmt;
        struct spec s;

        if (*fmt++ != '%') {
            put(&o, *start);
            continue;
        }
        fmt = parse_spec(&s, fmt, &args);
        if (!*fmt || !put_conversion(&o, &s, *fmt, &args)) {
            put(&o, *start); /* unsupported: copied unchanged, from the '%' on */
            fmt = start + 1;
            continue;
        }
        fmt++;
    }
    va_end(args);
    if (size_bytes)
        buf[o.len < size_bytes ? o.len : size_bytes - 1] = '\0';
    return o.len;
}

size_t format(char *buf, size_t size_bytes, const char *fmt, ...)
{
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = format_v(buf, size_bytes, fmt, args);
    va_end(args);
    return len;
}
