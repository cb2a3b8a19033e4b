// Kernels with the faults that the host has to find, for HostKernelsTest.

// Sums over a block without the barrier after the first line.
extern "C" __global__ void barrier_missing(const float* x, float* sum) {
  __shared__ float values[64];
  values[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x == 0) {
    float s = 0;
    for (int i = 0; i < 64; i++) s += values[i];
    *sum = s;
  }
}

// The same with it.
extern "C" __global__ void barrier_there(const float* x, float* sum) {
  __shared__ float values[64];
  values[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
    float s = 0;
    for (int i = 0; i < 64; i++) s += values[i];
    *sum = s;
  }
}

extern "C" __global__ void barrier_for_some(float* x) {
  if (threadIdx.x < 32) __syncthreads();
  x[threadIdx.x] = 1;
}

// Every thread writes one element more than it has.
extern "C" __global__ void too_far(float* x) {
  x[threadIdx.x + 1] = 1;
}

// Reads four floats at once from where no four begin.
extern "C" __global__ void misaligned(float* x) {
  float4 v = *reinterpret_cast<const float4*>(x + 1);
  x[0] = v.x;
}
