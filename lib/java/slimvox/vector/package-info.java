/** Functions of SIMD vectors that give the same bits interpreted and compiled. */
package slimvox.vector;
