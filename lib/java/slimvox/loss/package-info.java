/** The training loss and its margin schedule. */
package slimvox.loss;
