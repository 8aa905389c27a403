/* What a core can do at most: loops of independent multiply-adds that stay in its registers.
 *
 * `benchmarks.peak` compiles this file for the CPU that it runs on, and times the functions that
 * are there: one for each precision and register width that this CPU has. A function takes `steps`
 * steps.
 *
 * Matrix units (Intel's AMX, Arm's SME) are faster than all of these loops. If the CPU has one, the
 * precisions that it computes in are left out.
 */

enum { ROUNDS = 50000 };

/* Enough independent sums to hide an instruction's latency, and few enough for the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { SUMS = 16 };
#else
enum { SUMS = 12 };
#endif

const long steps = (long)ROUNDS * SUMS;

/* Define a function that updates each sum with EXPRESSION, ROUNDS times.
 *
 * The assembly is empty. It hides values from the compiler, which would compute equal sums once, or
 * none of them, because nothing reads them.
 */
#define HIDE(REGISTER, value) __asm__ volatile("" : "+" REGISTER(value))
#define LOOP(FUNCTION, REGISTER, SUM, FACTOR, EXPRESSION)   \
    void FUNCTION(void) {                                   \
        FACTOR a = {0}, b = {0};                            \
        SUM sums[SUMS] = {0};                               \
        HIDE(REGISTER, b);                                  \
        for (int round = 0; round < ROUNDS; round++)        \
            for (int i = 0; i < SUMS; i++) {                \
                SUM sum = sums[i];                          \
                HIDE(REGISTER, a);                          \
                sum = EXPRESSION;                           \
                HIDE(REGISTER, sum);                        \
                sums[i] = sum;                              \
            }                                               \
    }

#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __AVX512F__
LOOP(float32_512, "v", __m512, __m512, _mm512_fmadd_ps(a, b, sum))
#endif
#ifdef __FMA__
LOOP(float32_256, "x", __m256, __m256, _mm256_fmadd_ps(a, b, sum))
#endif

#ifndef __AMX_INT8__
#ifdef __AVX512VNNI__
LOOP(int8_512, "v", __m512i, __m512i, _mm512_dpbusd_epi32(sum, a, b))
#elif defined(__AVX512BW__)
LOOP(int8_512, "v", __m512i, __m512i,
     _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1))))
#endif
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
LOOP(int8_256, "x", __m256i, __m256i, _mm256_dpbusd_epi32(sum, a, b))
#elif defined(__AVXVNNI__)
LOOP(int8_256, "x", __m256i, __m256i, _mm256_dpbusd_avx_epi32(sum, a, b))
#elif defined(__AVX2__)
LOOP(int8_256, "x", __m256i, __m256i,
     _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))))
#endif
#endif

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)
LOOP(bfloat16_512, "v", __m512, __m512bh, _mm512_dpbf16_ps(sum, a, b))
#endif

#elif defined(__aarch64__) && !defined(__ARM_FEATURE_SME)
#include <arm_neon.h>

LOOP(float32_128, "w", float32x4_t, float32x4_t, vfmaq_f32(sum, a, b))

#ifdef __ARM_FEATURE_DOTPROD
LOOP(int8_128, "w", int32x4_t, int8x16_t, vdotq_s32(sum, a, b))
#else
LOOP(int8_128, "w", int32x4_t, int8x16_t,
     vpadalq_s16(sum, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b)))
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
LOOP(int8_128_matrix, "w", int32x4_t, int8x16_t, vmmlaq_s32(sum, a, b))
#endif
#endif
