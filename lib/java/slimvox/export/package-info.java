/** Networks in the formats of other programs. */
package slimvox.export;
