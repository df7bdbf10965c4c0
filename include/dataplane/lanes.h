// SPDX-License-Identifier: BSD-3-Clause
// Sixteen bytes at once: headers are compared and made anew in few steps. Vectors of the compiler's
// own, so that every CPU gets what it has for them; intrinsics only where the compiler does not
// find the one instruction.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef uint8_t lanes __attribute__((vector_size(16)));

static inline lanes lanes_load(const void *bytes)
{
    lanes value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

// Of what begins at a multiple of sixteen.
static inline lanes lanes_load_aligned(const void *bytes)
{
    return *(const lanes *)bytes;
}

static inline void lanes_store(void *bytes, lanes value)
{
    memcpy(bytes, &value, sizeof(value));
}

// The place-th two bytes.
static inline lanes lanes_set_u16(lanes value, unsigned place, uint16_t word)
{
    typedef uint16_t lanes_of_two __attribute__((vector_size(16)));
    lanes_of_two words = (lanes_of_two)value;
    words[place] = word;
    return (lanes)words;
}

// Whether any of these bits is set.
static inline bool lanes_have(lanes value, lanes bits)
{
#if defined(__SSE4_1__)
    return !_mm_testz_si128((__m128i)value, (__m128i)bits);
#elif defined(__aarch64__)
    return vmaxvq_u32(vreinterpretq_u32_u8((uint8x16_t)(value & bits))) != 0;
#else
    uint64_t words[2];
    value &= bits;
    memcpy(words, &value, sizeof(words));
    return (words[0] | words[1]) != 0;
#endif
}

static inline bool lanes_differ(lanes a, lanes b)
{
    lanes difference = a ^ b;
    return lanes_have(difference, difference);
}
