/** Tables of ledgers, runs and scores, and figures of them. */
package slimvox.report;
