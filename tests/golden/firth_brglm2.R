# Firth logistic regression of 83 simulated vertebrae with a sign that only positive ones show:
# estimates and errors by brglm2, profile penalised likelihood limits by optim and uniroot.
suppressMessages({library(brglm2); library(jsonlite)})
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(7)
height <- round(runif(83, 5, 45))
signal <- round(rnorm(83, 1.6, 0.6), 2)
positive <- rbinom(83, 1, plogis(3 - 0.04 * height - 2 * signal))
gas <- positive * rbinom(83, 1, 0.35)
d <- data.frame(gas, height, signal, positive)
stopifnot(sum(gas) > 4, all(positive[gas == 1] == 1), mean(positive) > 0.2, mean(positive) < 0.6)
m <- glm(positive ~ gas + height + signal, data = d, family = binomial, method = "brglm_fit", type = "AS_mean",
         epsilon = 1e-12, maxit = 500)
X <- model.matrix(m); y <- d$positive
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
            data = lapply(d, as.numeric),
            versions = c(R.version.string, paste("brglm2", packageVersion("brglm2"))))
write_json(out, "firth_brglm2.json", digits = 15, auto_unbox = TRUE)
