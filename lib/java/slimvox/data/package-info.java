/** Corpora, their features on disk or in memory, and batches for training and evaluation. */
package slimvox.data;
