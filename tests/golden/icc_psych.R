# Six intraclass correlations with 95 % intervals from psych, and Lin's concordance by his formula.
library(psych)

options(digits = 15)
rows <- function(name, x) {
  r <- ICC(x, lmer = FALSE)$results
  forms <- c("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
  values <- cbind(r$ICC, r$`lower bound`, r$`upper bound`, r$F, r$p)
  line <- function(i) sprintf('    "%s": [%s]', forms[i], paste(sprintf("%.15g", values[i, ]), collapse = ", "))
  sprintf('  "%s": {\n%s\n  }', name, paste(sapply(1:6, line), collapse = ",\n"))
}
lin <- function(name, x, y) {
  k <- length(x)
  sx <- var(x) * (k - 1) / k
  sy <- var(y) * (k - 1) / k
  r <- cor(x, y)
  p <- 2 * r * sqrt(sx * sy) / (sx + sy + (mean(x) - mean(y))^2)
  u <- (mean(x) - mean(y)) / (sx * sy)^0.25
  v <- ((1 - r^2) * p^2 * (1 - p^2) / r^2 + 2 * p^3 * (1 - p) * u^2 / r - p^4 * u^4 / (2 * r^2)) / (k - 2)
  z <- atanh(p) + c(-1, 1) * qnorm(0.975) * sqrt(v) / (1 - p^2)
  sprintf('  "%s": {"CCC": [%s]}', name, paste(sprintf("%.15g", c(p, tanh(z))), collapse = ", "))
}

classic <- matrix(c(9,2,5,8, 6,1,3,2, 8,4,6,8, 7,1,2,6, 10,5,6,9, 6,2,4,7), 6, byrow = TRUE)
# 12 targets, 3 raters, no random number: tests/statistics/test_icc.py makes the same table.
t <- rep(1:12, each = 3)
j <- rep(1:3, 12)
made <- matrix((7 * t) %% 13 + 0.5 * j + ((5 * t + 11 * j) %% 7) / 2, 12, byrow = TRUE)
# Raters that disagree more than targets differ: negative coefficients.
negative <- matrix(((29 * t + 17 * j * t) %% 11) + 4 * ((t + j) %% 3), 12, byrow = TRUE)
cat("{\n", paste(c(
  rows("classic", classic), rows("made", made), rows("negative", negative),
  lin("lin", made[, 1], made[, 3])
), collapse = ",\n"), "\n}\n", sep = "")
