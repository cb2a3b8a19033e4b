// One step of an optimizer with float32 state, in PyTorch's order of operations. CPU twin:
// slimvox.backend.cpu.optim.CpuOptimizers.
//
//   SGD    g += weightDecay p;  b = momentum b + (1 - dampening) g (g in the first step)
//          p -= learningRate (nesterov ? g + momentum b : b)
//   Adam   m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
//          p -= learningRate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//   AdamW  first p *= 1 - learningRate weightDecay; Adam instead g += weightDecay p
//
// Launch: over many tensors, 256 threads a block, four neighbouring elements a thread. What depends
// on the step only is calculated in Java, in float64, and passed as a float.
#include "common.cuh"

// Tensors: gradient, parameter, buffer, which may be null: then the direction is g, else gPart g +
// bPart b. In the first step b is set to g, whatever it held: it may hold NaN.
extern "C" __global__ void sgd(
    const __grid_constant__ Tensors all, float decay, float rate, float momentum, float fresh,
    float gPart, float bPart, int first) {
  Part part(all);
  long long i = part.firstOfFour(), n = part.size();
  if (i >= n) return;
  float g[4], p[4], b[4] = {};
  load4(part.at(0), i, n, g);
  load4(part.at(1), i, n, p);
  if (part.at(2) && !first) load4(part.at(2), i, n, b);
  for (int j = 0; j < 4; j++) {
    float d = fmaf(p[j], decay, g[j]);
    b[j] = first ? d : fmaf(d, fresh, b[j] * momentum);
    p[j] = fmaf(part.at(2) ? fmaf(b[j], bPart, d * gPart) : d, rate, p[j]);
  }
  if (part.at(2)) store4(part.at(2), i, n, b);
  store4(part.at(1), i, n, p);
}

// Tensors: gradient, parameter, mean, square.
extern "C" __global__ void adam(
    const __grid_constant__ Tensors all, float keep, float add, float fresh1, float beta2,
    float fresh2, float rate, float correction, float epsilon) {
  Part part(all);
  long long i = part.firstOfFour(), n = part.size();
  if (i >= n) return;
  float g[4], p[4], m[4], v[4];
  load4(part.at(0), i, n, g);
  load4(part.at(1), i, n, p);
  load4(part.at(2), i, n, m);
  load4(part.at(3), i, n, v);
  for (int j = 0; j < 4; j++) {
    float d = fmaf(p[j], add, g[j]);
    m[j] = fmaf(d - m[j], fresh1, m[j]);
    v[j] = fmaf(d * d, fresh2, v[j] * beta2);
    p[j] = fmaf(m[j] / fmaf(sqrtf(v[j]), correction, epsilon), rate, p[j] * keep);
  }
  store4(part.at(2), i, n, m);
  store4(part.at(3), i, n, v);
  store4(part.at(1), i, n, p);
}
