// One step of an optimizer with float32 state, in PyTorch's order of operations. CPU twin:
// slimvox.backend.cpu.optim.Optimizers.
//
//   SGD    g += weightDecay p;  b = momentum b + (1 - dampening) g (g in the first step)
//          p -= learningRate (nesterov ? g + momentum b : b)
//   Adam   m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
//          p -= learningRate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//   AdamW  first p *= 1 - learningRate weightDecay; Adam instead g += weightDecay p
//
// Launch: 256 threads a block, four neighbouring elements a thread. What depends on the step only
// is calculated in Java, in float64, and passed as a float.
#include "common.cuh"

#define FOUR(body) \
  {                \
    body(x);       \
    body(y);       \
    body(z);       \
    body(w);       \
  }

extern "C" __global__ void sgd(
    const float* gradient, float* parameter, float decay, float rate, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 g = load4(gradient, i, n);
  float4 p = load4(parameter, i, n);
#define STEP(e) p.e = fmaf(rate, fmaf(p.e, decay, g.e), p.e);
  FOUR(STEP)
#undef STEP
  store4(parameter, i, n, p);
}

// The direction is gPart g + bPart b. In the first step b is set to g, whatever it held: it may
// hold NaN.
extern "C" __global__ void sgd_momentum(
    const float* gradient,
    float* parameter,
    float* buffer,
    float decay,
    float rate,
    float momentum,
    float fresh,
    float gPart,
    float bPart,
    int first,
    long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 g = load4(gradient, i, n);
  float4 p = load4(parameter, i, n);
  float4 b = make_float4(0, 0, 0, 0);
  if (!first) b = load4(buffer, i, n);
#define STEP(e)                                        \
  {                                                    \
    float d = fmaf(p.e, decay, g.e);                   \
    b.e = first ? d : fmaf(d, fresh, b.e * momentum);  \
    p.e = fmaf(fmaf(b.e, bPart, d * gPart), rate, p.e); \
  }
  FOUR(STEP)
#undef STEP
  store4(buffer, i, n, b);
  store4(parameter, i, n, p);
}

extern "C" __global__ void adam(
    const float* gradient,
    float* parameter,
    float* mean,
    float* square,
    float keep,
    float add,
    float fresh1,
    float beta2,
    float fresh2,
    float rate,
    float correction,
    float epsilon,
    long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 g = load4(gradient, i, n);
  float4 p = load4(parameter, i, n);
  float4 m = load4(mean, i, n);
  float4 v = load4(square, i, n);
#define STEP(e)                                                                  \
  {                                                                              \
    float d = fmaf(p.e, add, g.e);                                               \
    m.e = fmaf(d - m.e, fresh1, m.e);                                            \
    v.e = fmaf(d * d, fresh2, v.e * beta2);                                      \
    p.e = fmaf(m.e / fmaf(sqrtf(v.e), correction, epsilon), rate, p.e * keep);   \
  }
  FOUR(STEP)
#undef STEP
  store4(mean, i, n, m);
  store4(square, i, n, v);
  store4(parameter, i, n, p);
}
