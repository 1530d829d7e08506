# Optimism bootstrap of a plain logistic model with rms::validate: Rscript validate_rms.R
suppressMessages(library(rms))
i <- 1:60
x1 <- sin(3 * i) + i / 40
x2 <- cos(5 * i)
x3 <- ((17 * i) %% 61) / 30
y <- as.integer(((29 * i) %% 61) / 61 < plogis(-0.4 + 0.9 * x1 - 0.7 * x2))
fit <- lrm(y ~ x1 + x2 + x3, x = TRUE, y = TRUE, eps = 1e-10)
draws <- 25
set.seed(2026)
found <- validate(fit, B = draws, eps = 1e-10)
# predab.resample draws each sample with sample(n, replace = TRUE): the same seed gives the same rows.
set.seed(2026)
rows <- t(sapply(seq_len(draws), function(b) sample(60, replace = TRUE)))
own <- mean(sapply(seq_len(draws), function(b) {
  chosen <- rows[b, ]
  again <- lrm(y[chosen] ~ x1[chosen] + x2[chosen] + x3[chosen], eps = 1e-10)
  p <- plogis(as.vector(cbind(1, x1, x2, x3) %*% coef(again)))
  mean((p[chosen] - y[chosen])^2) - mean((p - y)^2)
}))
stopifnot(abs(own - found["B", "optimism"]) < 1e-8)
keep <- c("Dxy", "Slope", "B")
jsonlite::write_json(
  list(
    X = cbind(x1, x2, x3), y = y, rows = rows - 1, metric = keep,
    apparent = unname(found[keep, "index.orig"]), optimism = unname(found[keep, "optimism"]),
    corrected = unname(found[keep, "index.corrected"])
  ),
  "validate_rms.json", auto_unbox = TRUE, digits = NA, pretty = FALSE
)
