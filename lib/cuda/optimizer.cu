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
// on the step only is calculated in Java, in float64, and left in device memory as floats.
#include "common.cuh"

// Tensors: gradient, parameter, buffer, which may be null: then the direction is g, else gPart g +
// bPart b. In the first step b is set to g, whatever it held: it may hold NaN.
extern "C" __global__ void sgd(const __grid_constant__ Tensors all, const SgdNumbers* numbers) {
  Part part(all);
  SgdNumbers a = *numbers;
  long long i = part.firstOfFour(), n = part.size();
  if (i >= n) return;
  float g[4], p[4], b[4] = {};
  load4(part.at(0), i, n, g);
  load4(part.at(1), i, n, p);
  if (part.at(2) && !a.first) load4(part.at(2), i, n, b);
  for (int j = 0; j < 4; j++) {
    float d = fmaf(p[j], a.decay, g[j]);
    b[j] = a.first ? d : fmaf(d, a.fresh, b[j] * a.momentum);
    p[j] = fmaf(part.at(2) ? fmaf(b[j], a.bPart, d * a.gPart) : d, a.rate, p[j]);
  }
  if (part.at(2)) store4(part.at(2), i, n, b);
  store4(part.at(1), i, n, p);
}

// Tensors: gradient, parameter, mean, square.
extern "C" __global__ void adam(const __grid_constant__ Tensors all, const AdamNumbers* numbers) {
  Part part(all);
  AdamNumbers a = *numbers;
  long long i = part.firstOfFour(), n = part.size();
  if (i >= n) return;
  float g[4], p[4], m[4], v[4];
  load4(part.at(0), i, n, g);
  load4(part.at(1), i, n, p);
  load4(part.at(2), i, n, m);
  load4(part.at(3), i, n, v);
  for (int j = 0; j < 4; j++) {
    float d = fmaf(p[j], a.add, g[j]);
    m[j] = fmaf(d - m[j], a.fresh1, m[j]);
    v[j] = fmaf(d * d, a.fresh2, v[j] * a.beta2);
    p[j] = fmaf(m[j] / fmaf(sqrtf(v[j]), a.correction, a.epsilon), a.rate, p[j] * a.keep);
  }
  store4(part.at(2), i, n, m);
  store4(part.at(3), i, n, v);
  store4(part.at(1), i, n, p);
}
