// SPDX-License-Identifier: BSD-3-Clause
// OpaqueString (RFC 8265 section 4.2): spaces mapped, NFC, and only code points of PRECIS's
// FreeformClass (RFC 8264 section 4.3), the contextual rules of RFC 5892 appendix A included.
#include "proto/opaque_string.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define MIDDLE_DOT            0x00B7
#define GREEK_KERAIA          0x0375
#define HEBREW_GERESH         0x05F3
#define HEBREW_GERSHAYIM      0x05F4
#define KATAKANA_MIDDLE_DOT   0x30FB
#define ZERO_WIDTH_NON_JOINER 0x200C
#define ZERO_WIDTH_JOINER     0x200D
#define NO_CHARACTER          UINT32_MAX // before the first and after the last

// A string as code points, and what the contextual rules ask about the whole of it. That is found
// once: anybody may send a username, and asking anew at every code point would take a time that
// grows with the square of its length.
struct text {
    const ucs4_t *points;
    size_t count;
    bool has_japanese; // Hiragana, Katakana or Han
    bool has_arabic_indic_digit;
    bool has_extended_arabic_indic_digit;
};

static bool in_range(ucs4_t point, ucs4_t first, ucs4_t last)
{
    return point >= first && point <= last;
}

static ucs4_t before(const struct text *text, size_t at)
{
    return at > 0 ? text->points[at - 1] : NO_CHARACTER;
}

static ucs4_t after(const struct text *text, size_t at)
{
    return at + 1 < text->count ? text->points[at + 1] : NO_CHARACTER;
}

static bool has_script(ucs4_t point, const char *name)
{
    return point != NO_CHARACTER && uc_is_script(point, uc_script_byname(name));
}

static bool follows_virama(const struct text *text, size_t at)
{
    return at > 0 && uc_combining_class(text->points[at - 1]) == UC_CCC_VR;
}

// RFC 5892 appendix A.1: between letters that join, transparent ones skipped.
static bool joins_both_sides(const struct text *text, size_t at)
{
    size_t left = at;
    size_t right = at + 1;
    int type;

    while (left > 0 && uc_joining_type(text->points[left - 1]) == UC_JOINING_TYPE_T)
        left--;
    while (right < text->count && uc_joining_type(text->points[right]) == UC_JOINING_TYPE_T)
        right++;
    if (left == 0 || right == text->count)
        return false;
    type = uc_joining_type(text->points[left - 1]);
    if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D)
        return false;
    type = uc_joining_type(text->points[right]);
    return type == UC_JOINING_TYPE_R || type == UC_JOINING_TYPE_D;
}

static bool is_japanese(ucs4_t point)
{
    return has_script(point, "Hiragana") || has_script(point, "Katakana") ||
           has_script(point, "Han");
}

static bool is_arabic_indic_digit(ucs4_t point)
{
    return in_range(point, 0x0660, 0x0669);
}

static bool is_extended_arabic_indic_digit(ucs4_t point)
{
    return in_range(point, 0x06F0, 0x06F9);
}

static struct text survey(const ucs4_t *points, size_t count)
{
    struct text text = {.points = points, .count = count};

    for (size_t i = 0; i < count; i++) {
        text.has_japanese = text.has_japanese || is_japanese(points[i]);
        text.has_arabic_indic_digit |= is_arabic_indic_digit(points[i]);
        text.has_extended_arabic_indic_digit |= is_extended_arabic_indic_digit(points[i]);
    }
    return text;
}

static bool is_contextual(ucs4_t point)
{
    return point == ZERO_WIDTH_NON_JOINER || point == ZERO_WIDTH_JOINER || point == MIDDLE_DOT ||
           point == GREEK_KERAIA || point == HEBREW_GERESH || point == HEBREW_GERSHAYIM ||
           point == KATAKANA_MIDDLE_DOT || is_arabic_indic_digit(point) ||
           is_extended_arabic_indic_digit(point);
}

// RFC 5892 appendix A.
static bool context_allows(const struct text *text, size_t at)
{
    ucs4_t point = text->points[at];

    switch (point) {
    case ZERO_WIDTH_NON_JOINER:
        return follows_virama(text, at) || joins_both_sides(text, at);
    case ZERO_WIDTH_JOINER:
        return follows_virama(text, at);
    case MIDDLE_DOT:
        return before(text, at) == 'l' && after(text, at) == 'l';
    case GREEK_KERAIA:
        return has_script(after(text, at), "Greek");
    case HEBREW_GERESH:
    case HEBREW_GERSHAYIM:
        return has_script(before(text, at), "Hebrew");
    case KATAKANA_MIDDLE_DOT:
        return text->has_japanese;
    default:
        // Arabic-Indic and Extended Arabic-Indic digits do not mix.
        return !(text->has_arabic_indic_digit && text->has_extended_arabic_indic_digit);
    }
}

// RFC 8264 section 9.6: exceptions that are disallowed in every class.
static bool is_exception(ucs4_t point)
{
    return point == 0x0640 || point == 0x07FA || point == 0x302E || point == 0x302F ||
           in_range(point, 0x3031, 0x3035) || point == 0x303B;
}

// RFC 8264 section 9.9.
static bool is_old_hangul_jamo(ucs4_t point)
{
    return in_range(point, 0x1100, 0x11FF) || in_range(point, 0xA960, 0xA97C) ||
           in_range(point, 0xD7B0, 0xD7FB);
}

// RFC 8264 section 8, for the FreeformClass. What is unassigned, a control or for private use is in
// none of the categories.
static bool is_freeform(ucs4_t point)
{
    static const uint32_t categories = UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
                                       UC_CATEGORY_MASK_N | UC_CATEGORY_MASK_S |
                                       UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_Zs;

    return !is_exception(point) && !is_old_hangul_jamo(point) &&
           !uc_is_property_default_ignorable_code_point(point) &&
           uc_is_general_category_withtable(point, categories);
}

static bool is_allowed(const struct text *text)
{
    for (size_t i = 0; i < text->count; i++) {
        ucs4_t point = text->points[i];

        if (is_contextual(point) ? !context_allows(text, i) : !is_freeform(point))
            return false;
    }
    return true;
}

static void map_spaces(ucs4_t *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (uc_is_general_category_withtable(points[i], UC_CATEGORY_MASK_Zs))
            points[i] = ' ';
    }
}

// This and every other copy is wiped before it is freed: the text may be a password.
static int copy_out(const struct text *text, char *buffer, size_t capacity)
{
    size_t len;
    uint8_t *utf8 = u32_to_u8(text->points, text->count, NULL, &len);
    int result = 0;

    if (utf8 == NULL)
        return -ENOMEM;
    if (len <= capacity) {
        memcpy(buffer, utf8, len);
        buffer[len] = '\0';
    } else {
        result = -ENOSPC;
    }
    explicit_bzero(utf8, len);
    free(utf8);
    return result;
}

// RFC 8265 section 4.2.2. The code points are checked after normalization, so that Hangul typed as
// separate jamo, which NFC composes, is taken.
static int prepare_points(ucs4_t *points, size_t count, char *buffer, size_t capacity)
{
    struct text text;
    ucs4_t *normalized;
    size_t normalized_count;
    int result;

    map_spaces(points, count);
    normalized = u32_normalize(UNINORM_NFC, points, count, NULL, &normalized_count);
    if (normalized == NULL)
        return -ENOMEM;
    text = survey(normalized, normalized_count);
    result = is_allowed(&text) ? copy_out(&text, buffer, capacity) : -EINVAL;
    explicit_bzero(normalized, normalized_count * sizeof(*normalized));
    free(normalized);
    return result;
}

// Nothing is mapped, composed or forbidden in it: the common case, answered without allocating.
static bool is_printable_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    }
    return true;
}

static int copy_ascii(struct span text, char *buffer, size_t capacity)
{
    if (text.len > capacity)
        return -ENOSPC;
    memcpy(buffer, text.data, text.len);
    buffer[text.len] = '\0';
    return 0;
}

int opaque_string_prepare(struct span text, char *buffer, size_t capacity)
{
    ucs4_t *points;
    size_t count;
    int result;

    if (text.len > 0 && is_printable_ascii(text))
        return copy_ascii(text, buffer, capacity);
    if (text.len == 0 || u8_check(text.data, text.len) != NULL)
        return -EINVAL;
    points = u8_to_u32(text.data, text.len, NULL, &count);
    if (points == NULL)
        return -ENOMEM;
    result = prepare_points(points, count, buffer, capacity);
    explicit_bzero(points, count * sizeof(*points));
    free(points);
    return result;
}
