# Firth logistic regression of the endometrial data of Heinze and Schemper (2002), which brglm2 carries:
# estimates and errors by brglm2, profile penalised likelihood limits by optim and uniroot.
suppressMessages({library(brglm2); library(jsonlite)})
data(endometrial)
m <- glm(HG ~ NV + PI + EH, data = endometrial, family = binomial, method = "brglm_fit", type = "AS_mean",
         epsilon = 1e-12, maxit = 500)
X <- model.matrix(m); y <- endometrial$HG
minus_penalised <- function(beta) {
  p <- plogis(drop(X %*% beta))
  -(sum(dbinom(y, 1, p, log = TRUE)) + 0.5 * determinant(crossprod(X * sqrt(p * (1 - p))))$modulus[1])
}
best <- coef(m)
held <- function(j, value) {
  f <- function(rest) minus_penalised(append(rest, value, j - 1))
  start <- best[-j]
  for (round in 1:20) start <- optim(start, f, control = list(reltol = 1e-15, maxit = 5000))$par
  f(start)
}
fall <- function(j, value) 2 * (held(j, value) - minus_penalised(best))
limit <- function(j, step) {
  uniroot(function(v) fall(j, v) - qchisq(0.95, 1), best[j] + c(0, step), tol = 1e-8)$root
}
j <- 2
out <- list(params = unname(best), errors = unname(sqrt(diag(vcov(m)))),
            low = limit(j, -4), high = limit(j, 8), statistic = fall(j, 0),
            data = lapply(endometrial[c("NV", "PI", "EH", "HG")], as.numeric),
            versions = c(R.version.string, paste("brglm2", packageVersion("brglm2"))))
write_json(out, "firth_brglm2.json", digits = 15, auto_unbox = TRUE)
