# Logistic GEE of gee_geepack.csv by geepack: coefficients, robust and model-based errors.
suppressMessages({library(geepack); library(jsonlite)})
d <- read.csv("gee_geepack.csv")
fit <- function(structure) {
  m <- geeglm(y ~ x + age + site, id = patient, data = d, family = binomial, corstr = structure,
              control = geese.control(epsilon = 1e-12, maxit = 200))
  scale <- m$geese$gamma[[1]]
  list(params = unname(coef(m)), robust = unname(sqrt(diag(m$geese$vbeta))),
       # geepack multiplies the model-based covariance by its estimated scale; a binomial has scale 1
       model_based = unname(sqrt(diag(m$geese$vbeta.naiv) / scale)),
       alpha = if (structure == "exchangeable") m$geese$alpha[[1]] else 0)
}
out <- list(exchangeable = fit("exchangeable"), independence = fit("independence"),
            versions = c(R.version.string, paste("geepack", packageVersion("geepack"))))
write_json(out, "gee_geepack.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
